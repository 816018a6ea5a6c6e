# SPDX-License-Identifier: Apache-2.0
"""Rule covariance-matching against a slow loop over numpy.cov."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from tailweave.clients.selection.covariance_matching import covariance_matching
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


def off(subset: np.ndarray, target: np.ndarray) -> float:
    return float(np.linalg.norm(np.cov(subset, rowvar=False).reshape(target.shape) - target))


def slow_loop(target: np.ndarray, x: np.ndarray, count: int, first: int) -> tuple[list[int], float]:
    """Add the candidate that leaves the covariances nearest; also the narrowest win."""
    picks, margin = [first], np.inf
    while len(picks) < count:
        left = [i for i in range(len(x)) if i not in picks]
        values = np.array([off(x[[*picks, i]], target) for i in left])
        if len(values) > 1:
            best, second = np.sort(values)[:2]
            margin = min(margin, second - best)
        picks.append(left[int(np.argmin(values))])
    return picks, margin


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 14), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_those_of_the_slow_loop(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    rng = stream(seed, "case")
    points, masses = rng.normal(size=(9, dimension)), rng.uniform(0.1, 1.0, 9)
    x = 1.5 * rng.normal(size=(size, dimension)) + 3.0
    target = np.cov(points, rowvar=False, aweights=masses).reshape(dimension, dimension)
    found = covariance_matching(Empirical.of(points, masses), x, count, rng=stream(seed, "s"))
    expected, margin = slow_loop(target, x, count, int(stream(seed, "s").integers(size)))
    if margin > 1e-9:  # a tie is broken by rounding
        assert found.tolist() == expected


def test_beyond_32_columns_the_reference_says_which_axes_count():
    rng = stream(0, "case")
    points, x = rng.normal(size=(60, 40)) * np.linspace(3.0, 0.1, 40), 2.0 * rng.normal(size=(30, 40))
    pca = PCA(32, svd_solver="full").fit(points)
    target = np.cov(pca.transform(points), rowvar=False)
    expected, margin = slow_loop(target, pca.transform(x), 12, int(stream(0, "s").integers(30)))
    assert margin > 1e-9
    assert covariance_matching(Empirical.of(points), x, 12, rng=stream(0, "s")).tolist() == expected


def test_spread_comes_back_from_too_wide_candidates_whatever_their_mean():
    rng = stream(0, "clouds")
    points, x = rng.normal(size=(500, 3)), 2.0 * rng.normal(size=(800, 3)) + 7.0
    target = np.cov(points, rowvar=False)
    picks = covariance_matching(Empirical.of(points), x, 200, rng=stream(0, "s"))
    assert off(x[picks], target) < 0.01
    assert len(set(picks.tolist())) == 200


def test_one_candidate_and_all_of_all():
    reference = Empirical.of([[0.0, 1.0], [1.0, 0.0], [3.0, 1.0]])
    x = stream(0, "x").normal(size=(7, 2))
    assert covariance_matching(reference, x[:1], 1, rng=stream(0, "s")).tolist() == [0]
    assert sorted(covariance_matching(reference, x, 7, rng=stream(0, "s"))) == list(range(7))


def test_bad_input_is_refused():
    two = Empirical.of([[0.0], [1.0]])
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 0"):
        covariance_matching(two, np.zeros((3, 1)), 0, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must have 1 columns, got 2"):
        covariance_matching(two, np.zeros((3, 2)), 1, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="at least two reference points, got 1"):
        covariance_matching(Empirical.of([[0.0]]), np.zeros((3, 1)), 1, rng=stream(0, "s"))
