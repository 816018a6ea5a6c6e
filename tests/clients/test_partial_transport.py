# SPDX-License-Identifier: Apache-2.0
"""Rule partial-transport against all subsets, each solved exactly by scipy's assignment."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from tailweave.clients.selection import partial_transport as module
from tailweave.clients.selection.partial_transport import partial_transport
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


def w2_sq(subset: np.ndarray, points: np.ndarray) -> float:
    cost = cdist(subset, points, "sqeuclidean")
    return float(cost[linear_sum_assignment(cost)].mean())


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_pick_is_the_best_of_all_subsets(seed, dimension, count, spare):
    rng = stream(seed, "case")
    points, candidates = rng.normal(size=(count, dimension)), rng.normal(size=(count + spare, dimension)) * 2
    picks = partial_transport(Empirical.of(points), candidates, count)
    best = min(w2_sq(candidates[list(s)], points) for s in combinations(range(count + spare), count))
    # The network simplex of POT is exact up to float64 sums of costs below 100.
    assert w2_sq(candidates[picks], points) == pytest.approx(best, abs=1e-9)
    assert len(set(picks.tolist())) == count
    assert (np.diff(picks) > 0).all()


def test_one_candidate_is_picked():
    assert partial_transport(Empirical.of(np.zeros((3, 2))), np.ones((1, 2)), 1).tolist() == [0]


def test_all_of_all_is_everything():
    candidates = stream(0, "x").normal(size=(6, 2))
    assert partial_transport(Empirical.of(np.zeros((4, 2))), candidates, 6).tolist() == list(range(6))


def test_duplicated_candidates_are_each_used_once():
    points = np.array([[0.0], [0.0], [10.0]])
    candidates = np.array([[0.0], [0.0], [0.0], [10.0], [50.0]])
    picks = partial_transport(Empirical.of(points), candidates, 3)
    assert 3 in picks
    assert 4 not in picks


def test_masses_decide_how_many_are_taken_near_each_point():
    reference = Empirical.of(np.array([[0.0], [10.0]]), np.array([3.0, 1.0]))
    candidates = np.concatenate([np.linspace(-0.5, 0.5, 8), np.linspace(9.5, 10.5, 8)])[:, None]
    picks = partial_transport(reference, candidates, 4)
    assert (picks < 8).sum() == 3
    assert (picks >= 8).sum() == 1


@pytest.mark.parametrize("count", [0, 5])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=rf"count must be in 1..4 .* got {count}"):
        partial_transport(Empirical.of(np.zeros((2, 1))), np.zeros((4, 1)), count)


def test_candidates_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="candidates must have 2 columns, got 3"):
        partial_transport(Empirical.of(np.zeros((2, 2))), np.zeros((4, 3)), 1)
    with pytest.raises(ValueError, match="candidates must be finite, got nan"):
        partial_transport(Empirical.of(np.zeros((2, 1))), np.full((4, 1), np.nan), 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("masses", ["equal", "one without", "unequal"])
def test_a_part_of_the_candidates_gives_a_plan_as_cheap(monkeypatch, seed, masses):
    """Beyond a size the programme sees a part of the candidates; its gap is stated, and seldom needed."""
    rng = stream(seed, "part")
    weights = {"equal": np.ones(30), "unequal": rng.uniform(0.2, 3.0, 30), "one without": np.ones(30)}[masses]
    weights[0] *= masses != "one without"
    reference = Empirical.of(rng.normal(size=(30, 3)), weights)
    x = 1.5 * rng.normal(size=(400, 3)) + 0.5
    whole = module._solve(x, reference, 90)
    held, part = module._enough(x, reference, 90)
    assert len(held) < 400
    assert whole.cost_sq <= part.cost_sq * (1 + 1e-9)
    assert part.cost_sq <= whole.cost_sq * (1 + module.GAP)
    monkeypatch.setattr(module, "AT_ONCE", 1000)
    picks = partial_transport(reference, x, 90)
    assert np.isin(picks, held).all()
    assert (len(set(picks.tolist())), np.diff(picks).min() > 0) == (90, True)


def test_a_part_that_is_too_small_is_grown(monkeypatch):
    """All points in one place, where the nearest candidates of each are the same ones."""
    rng = stream(0, "one place")
    x, points = rng.normal(size=(300, 2)), np.full((50, 2), 5.0) + 1e-3 * rng.normal(size=(50, 2))
    held, part = module._enough(x, Empirical.of(points), 100)
    whole = module._solve(x, Empirical.of(points), 100)
    assert part.cost_sq == pytest.approx(whole.cost_sq, rel=module.GAP)
    assert len(held) >= 100


def test_prices_bring_in_candidates_that_are_missing(monkeypatch):
    rng = stream(0, "missing")
    x, reference = 1.5 * rng.normal(size=(400, 3)), Empirical.of(rng.normal(size=(30, 3)))
    monkeypatch.setattr(module, "_nearest", lambda x, points, count: np.arange(120))
    held, part = module._enough(x, reference, 90)
    assert len(held) > 120
    assert part.cost_sq <= module._solve(x, reference, 90).cost_sq * (1 + module.GAP)
