# SPDX-License-Identifier: Apache-2.0
"""Every rule of the configuration by its name."""

from typing import get_args

import numpy as np
import pytest

from clients import selection
from clients.selection import select
from protocols.config.experiment import Rule
from protocols.config.references import SlicedReference
from protocols.features import PublicSpace
from protocols.references import Empirical
from protocols.references.sliced import Sliced
from protocols.streams import stream

POINTS = stream(0, "points").normal(size=(12, 2))
CANDIDATES = stream(0, "candidates").normal(size=(20, 2))


def pick(rule: str, reference, count: int = 5) -> list[int]:
    return select(rule, reference, CANDIDATES, count, rng=stream(0, "select")).tolist()


@pytest.mark.parametrize("rule", get_args(Rule))
def test_every_rule_of_the_configuration_picks_n_different_candidates(rule):
    picks = pick(rule, None if rule == "random" else Empirical.of(POINTS))
    assert len(set(picks)) == 5
    assert set(picks) <= set(range(20))


def test_names_lead_to_their_own_rules():
    reference = Empirical.of(POINTS)
    assert pick("herding", reference) == selection.herding(reference, CANDIDATES, 5).tolist()
    assert pick("top-potential", reference) == selection.top_potential(reference, CANDIDATES, 5).tolist()
    assert (
        pick("partial-transport", reference) == selection.partial_transport(reference, CANDIDATES, 5).tolist()
    )
    assert pick("random", None) == selection.random(20, 5, rng=stream(0, "select")).tolist()
    assert len({tuple(pick(rule, reference)) for rule in get_args(Rule)}) == len(get_args(Rule))


@pytest.mark.parametrize("rule", [rule for rule in get_args(Rule) if rule != "random"])
def test_rules_that_compare_need_a_reference(rule):
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference, got none"):
        pick(rule, None)


@pytest.mark.parametrize("rule", ["partial-transport", "top-potential"])
def test_rules_on_points_refuse_a_sketch(rule):
    spec = SlicedReference(kind="sliced", directions=3, coefficients=2)
    sketch = Sliced(np.zeros((3, 2)), spec, PublicSpace(np.zeros(2), 1.0, 0))
    with pytest.raises(ValueError, match=f"rule {rule} needs a reference with points, got Sliced"):
        pick(rule, sketch)
