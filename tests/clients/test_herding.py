# SPDX-License-Identifier: Apache-2.0
"""Rule herding against a slow loop that evaluates the energy objective itself, and its super-uniformity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.top_potential import top_potential
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, read_summary, release, weave
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream


def energy(subset: np.ndarray, points: np.ndarray) -> float:
    """Energy distance without the term of the reference alone, which no pick changes."""
    return float(2 * cdist(subset, points).mean() - cdist(subset, subset).mean())


def slow_loop(points: np.ndarray, candidates: np.ndarray, count: int) -> tuple[list[int], float]:
    """Add, one at a time, the candidate that leaves the least energy distance; also the narrowest win."""
    picks: list[int] = []
    margin = np.inf
    for _ in range(count):
        left = [i for i in range(len(candidates)) if i not in picks]
        values = np.array([energy(candidates[[*picks, i]], points) for i in left])
        if len(values) > 1:
            best, second = np.sort(values)[:2]
            margin = min(margin, (second - best) * (len(picks) + 1))
        picks.append(left[int(np.argmin(values))])
    return picks, margin


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 14), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_those_of_the_slow_loop(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    rng = stream(seed, "case")
    points, candidates = rng.normal(size=(9, dimension)), 1.5 * rng.normal(size=(size, dimension))
    expected, margin = slow_loop(points, candidates, count)
    if margin < 1e-4:  # float32 distances: a tie within their error may go either way
        return
    assert herding(Empirical.of(points), candidates, count).tolist() == expected


def test_cases_of_the_slow_loop_are_rarely_ties():
    rng = stream(0, "case")
    points, candidates = rng.normal(size=(9, 3)), 1.5 * rng.normal(size=(14, 3))
    assert slow_loop(points, candidates, 8)[1] > 1e-4


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    rng = stream(5, "clouds")
    return rng.normal(size=(500, 3)), 1.3 * rng.normal(size=(800, 3))


def sliced(points: np.ndarray, basis: str) -> Sliced:
    space = PublicSpace(points.mean(axis=0), float(points.std()), 0)
    spec = SlicedReference(kind="sliced", basis=basis, directions=128, coefficients=16)
    summary = release(points, spec, space, 1, rng=stream(0, "release"))
    woven = weave([read_summary(summary.arrays(), spec, 3)], spec)
    return Sliced(woven["sketch"], spec, space)


@pytest.mark.parametrize("form", ["points", "cosine", "histogram"])
def test_pick_is_super_uniform(clouds, form):
    points, candidates = clouds
    reference = Empirical.of(points) if form == "points" else sliced(points, form)
    floor = energy(points, points)
    picked = energy(candidates[herding(reference, candidates, 100)], points) - floor
    rng = stream(0, "random")
    drawn = [energy(points[rng.choice(500, 100, replace=False)], points) - floor for _ in range(50)]
    cut = energy(candidates[top_potential(Empirical.of(points), candidates, 100)], points) - floor
    # Well below random subsets of the reference itself, even the best of 50: sampling noise is cancelled.
    assert picked < 0.3 * np.mean(drawn)
    assert picked < 0.8 * min(drawn)
    assert picked < 0.1 * cut


def test_first_pick_is_the_median_of_one_dimension():
    points = np.array([[0.0], [1.0], [2.0], [3.0], [100.0]])
    assert herding(Empirical.of(points), points[::-1].copy(), 1).tolist() == [2]


def test_one_candidate_is_picked():
    assert herding(Empirical.of(np.zeros((3, 2))), np.ones((1, 2)), 1).tolist() == [0]


def test_all_of_all_is_a_permutation():
    candidates = stream(0, "x").normal(size=(30, 2))
    assert sorted(herding(Empirical.of(np.zeros((4, 2))), candidates, 30)) == list(range(30))


def test_duplicated_candidates_are_each_picked_at_most_once():
    candidates = np.repeat(np.array([[0.0, 0.0], [4.0, 4.0]]), 10, axis=0)
    picks = herding(Empirical.of(np.array([[0.0, 0.0], [4.0, 4.0]])), candidates, 8)
    assert len(set(picks.tolist())) == 8
    assert (picks < 10).sum() == 4


def test_equal_candidates_go_by_index():
    assert herding(Empirical.of(np.zeros((2, 1))), np.ones((5, 1)), 3).tolist() == [0, 1, 2]


def test_input_is_left_as_it_was(clouds):
    points, candidates = clouds
    before = candidates.copy()
    herding(Empirical.of(points), candidates, 10)
    assert np.array_equal(candidates, before)


@pytest.mark.parametrize("count", [0, -3, 5])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=rf"count must be in 1..4 \(the candidates\), got {count}"):
        herding(Empirical.of(np.zeros((2, 1))), np.zeros((4, 1)), count)


def test_candidates_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="candidates must have 2 columns, got 3"):
        herding(Empirical.of(np.zeros((2, 2))), np.zeros((4, 3)), 1)
    with pytest.raises(ValueError, match="candidates must be finite, got inf"):
        herding(Empirical.of(np.zeros((2, 1))), np.array([[0.0], [np.inf]]), 1)
