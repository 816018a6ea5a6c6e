# SPDX-License-Identifier: Apache-2.0
"""Every rule of the configuration by its name."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.center_matching import center_matching
from tailweave.clients.selection.center_sampling import center_sampling
from tailweave.clients.selection.covariance_matching import covariance_matching
from tailweave.clients.selection.ds3 import ds3
from tailweave.clients.selection.fid_batches import fid_batches
from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.k_means import k_means
from tailweave.clients.selection.latent_density import latent_density
from tailweave.clients.selection.matching_alpha import matching_alpha
from tailweave.clients.selection.partial_transport import partial_transport
from tailweave.clients.selection.random import random
from tailweave.clients.selection.threshold_decay import threshold_decay
from tailweave.clients.selection.top_potential import top_potential
from tailweave.protocols.config.rules import RULES, RuleSpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.family import KindError
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.kinds.rules.base import RuleKind
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream

NEEDS = {
    rule: spec.compares
    for rule, spec in RULES.kinds.items()
    if "numbers" in spec.takes and not spec.reads_labels
}
COMPARING = [rule for rule, needs in NEEDS.items() if needs != "nothing"]
READ = TypeAdapter(RuleSpec).validate_python
REFERENCE = Empirical.of(stream(0, "points").normal(size=(12, 2)) + 0.3)
CANDIDATES = np.repeat(np.linspace(1.5, 0.8, 4), 60)[:, None] * stream(0, "candidates").normal(size=(240, 2))
"""Batches that differ in spread, so that rules on batches have something to choose."""
DIRECT = {
    "center-matching": center_matching,
    "fid-batches": fid_batches,
    "herding": herding,
    "matching-alpha": matching_alpha,
    "partial-transport": partial_transport,
    "top-potential": top_potential,
}
DIRECT_AT_RANDOM = {
    "center-sampling": center_sampling,
    "covariance-matching": covariance_matching,
    "ds3": ds3,
}


def pick(rule, reference, count: int = 30) -> list[int]:
    scorers = {
        "surprise": lambda samples: (samples.values**2).sum(axis=1),
        "confidence": lambda samples: samples.values[:, 0],
    }
    given = replace(Candidates.of(CANDIDATES, count), scorers=scorers)
    return select(READ(rule), given, reference, rng=stream(0, "select")).tolist()


@pytest.mark.parametrize("rule", NEEDS)
def test_every_rule_of_the_configuration_picks_n_different_candidates(rule):
    picks = pick(rule, None if NEEDS[rule] == "nothing" else REFERENCE)
    assert len(set(picks)) == 30
    assert set(picks) <= set(range(240))


@pytest.mark.parametrize("rule", DIRECT)
def test_names_lead_to_their_own_rules(rule):
    assert pick(rule, REFERENCE) == DIRECT[rule](REFERENCE, CANDIDATES, 30).tolist()


@pytest.mark.parametrize("rule", DIRECT_AT_RANDOM)
def test_names_of_rules_that_draw_lead_to_their_own_rules(rule):
    drawn = DIRECT_AT_RANDOM[rule](REFERENCE, CANDIDATES, 30, rng=stream(0, "select"))
    assert pick(rule, REFERENCE) == drawn.tolist()


def test_names_of_rules_without_a_reference_lead_to_their_own_rules():
    rng = lambda: stream(0, "select")  # noqa: E731 - a fresh stream each time
    assert pick("random", None) == random(240, 30, rng=rng()).tolist()
    assert pick("k-means", None) == k_means(CANDIDATES, 30, rng=rng()).tolist()
    assert pick("latent-density", None) == latent_density(CANDIDATES, 30).tolist()
    assert pick("threshold-decay", None) == threshold_decay(CANDIDATES, 30, rng=rng()).tolist()


def test_rules_differ_but_nash_of_one_silo_and_draws_where_all_are_born_alike():
    picks = {rule: tuple(sorted(pick(rule, REFERENCE))) for rule in NEEDS}
    assert picks["nash"] == picks["top-potential"]
    assert picks["fresh"] == picks["last-generation"] == picks["random"]
    assert len(set(picks.values())) == len(picks) - 3


@pytest.mark.parametrize("rule", COMPARING)
def test_rules_that_compare_need_a_reference(rule):
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference, got none"):
        pick(rule, None)


@pytest.mark.parametrize("rule", [rule for rule in COMPARING if NEEDS[rule] == "points"])
def test_rules_on_points_refuse_a_sketch(rule):
    spec = SlicedReference(kind="sliced", directions=3, coefficients=2)
    sketch = Sliced(np.zeros((3, 2)), spec, PublicSpace(np.zeros(2), 1.0, 0))
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference .*with points, got Sliced"):
        pick(rule, sketch)


@pytest.mark.parametrize(
    ("rule", "direct"),
    [
        ({"kind": "fid-batches", "batch": 7}, lambda: fid_batches(REFERENCE, CANDIDATES, 30, batch=7)),
        (
            {"kind": "latent-density", "batch": 16, "neighbours": 2},
            lambda: latent_density(CANDIDATES, 30, batch=16, neighbours=2),
        ),
        (
            {"kind": "ds3", "clusters": 40},
            lambda: ds3(REFERENCE, CANDIDATES, 30, clusters=40, rng=stream(0, "select")),
        ),
        (
            {"kind": "covariance-matching", "axes": 1},
            lambda: covariance_matching(REFERENCE, CANDIDATES, 30, axes=1, rng=stream(0, "select")),
        ),
        ({"kind": "matching-alpha", "axes": 1}, lambda: matching_alpha(REFERENCE, CANDIDATES, 30, axes=1)),
    ],
    ids=lambda given: given["kind"] if isinstance(given, dict) else "",
)
def test_options_reach_the_rule_and_change_what_it_picks(rule, direct):
    picks = pick(rule, None if NEEDS[rule["kind"]] == "nothing" else REFERENCE)
    assert picks == direct().tolist()
    assert picks != pick(rule["kind"], None if NEEDS[rule["kind"]] == "nothing" else REFERENCE)


def test_a_threshold_of_its_own():
    rule = {"kind": "threshold-decay", "start": 2.0, "decay": 0.5}
    assert pick(rule, None) != pick("threshold-decay", None)


def test_a_rule_is_written_by_its_name_unless_it_has_options():
    assert READ("ds3").model_dump() == "ds3"
    assert READ({"kind": "ds3", "clusters": 200}).model_dump() == "ds3"
    assert READ({"kind": "ds3", "clusters": 7}).model_dump() == {"kind": "ds3", "clusters": 7}
    assert READ(READ({"kind": "ds3", "clusters": 7}).model_dump()).clusters == 7


def test_an_unknown_rule_is_never_another():
    with pytest.raises(ValidationError, match="'randm' is unknown; did you mean 'random'"):
        READ("randm")


class Odd(RuleKind):
    """A rule that no package brings."""

    kind: str = "odd"
    compares = "nothing"


def test_what_nothing_implements_is_refused():
    with pytest.raises(KindError, match="odd: .* holds nothing that implements Odd"):
        select(Odd(), Candidates.of(CANDIDATES, 3), None, rng=stream(0, "s"))


@pytest.mark.parametrize("picks", [[1, 1, 2], [0, 1], [-1, 0, 1], [0, 1, 240], [0.0, 1.0, 2.0], [[0, 1, 2]]])
def test_what_is_no_selection_is_refused(picks):
    class Broken(Odd):
        kind: str = "broken"

    implements(Broken)(lambda spec, candidates, reference, rng: picks)
    with pytest.raises(ValueError, match="rule broken must pick 3 different candidates of 240, got"):
        select(Broken(), Candidates.of(CANDIDATES, 3), None, rng=stream(0, "s"))
