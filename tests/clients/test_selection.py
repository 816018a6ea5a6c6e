# SPDX-License-Identifier: Apache-2.0
"""Every rule of the configuration by its name."""

from typing import get_args

import numpy as np
import pytest

from tailweave.clients import selection
from tailweave.clients.selection import select
from tailweave.protocols.config.references import SlicedReference
from tailweave.protocols.config.rules import ON_SKETCHES, WITHOUT_REFERENCE, Rule
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream

COMPARING = [rule for rule in get_args(Rule) if rule not in WITHOUT_REFERENCE]
REFERENCE = Empirical.of(stream(0, "points").normal(size=(12, 2)) + 0.3)
CANDIDATES = np.repeat(np.linspace(1.5, 0.8, 4), 60)[:, None] * stream(0, "candidates").normal(size=(240, 2))
"""Batches that differ in spread, so that rules on batches have something to choose."""
DIRECT = {
    "center-matching": selection.center_matching,
    "fid-batches": selection.fid_batches,
    "herding": selection.herding,
    "matching-alpha": selection.matching_alpha,
    "partial-transport": selection.partial_transport,
    "top-potential": selection.top_potential,
}
DIRECT_AT_RANDOM = {
    "center-sampling": selection.center_sampling,
    "covariance-matching": selection.covariance_matching,
    "ds3": selection.ds3,
}


def pick(rule: str, reference, count: int = 30) -> list[int]:
    return select(rule, reference, CANDIDATES, count, rng=stream(0, "select")).tolist()


@pytest.mark.parametrize("rule", get_args(Rule))
def test_every_rule_of_the_configuration_picks_n_different_candidates(rule):
    picks = pick(rule, None if rule in WITHOUT_REFERENCE else REFERENCE)
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
    assert pick("random", None) == selection.random(240, 30, rng=rng()).tolist()
    assert pick("k-means", None) == selection.k_means(CANDIDATES, 30, rng=rng()).tolist()
    assert pick("latent-density", None) == selection.latent_density(CANDIDATES, 30).tolist()
    assert pick("threshold-decay", None) == selection.threshold_decay(CANDIDATES, 30, rng=rng()).tolist()


def test_rules_differ_but_nash_of_one_silo():
    picks = {rule: tuple(sorted(pick(rule, REFERENCE))) for rule in get_args(Rule)}
    assert picks["nash"] == picks["top-potential"]
    assert len(set(picks.values())) == len(picks) - 1


@pytest.mark.parametrize("rule", COMPARING)
def test_rules_that_compare_need_a_reference(rule):
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference, got none"):
        pick(rule, None)


@pytest.mark.parametrize("rule", [rule for rule in COMPARING if rule not in ON_SKETCHES])
def test_rules_on_points_refuse_a_sketch(rule):
    spec = SlicedReference(kind="sliced", directions=3, coefficients=2)
    sketch = Sliced(np.zeros((3, 2)), spec, PublicSpace(np.zeros(2), 1.0, 0))
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference .*with points, got Sliced"):
        pick(rule, sketch)
