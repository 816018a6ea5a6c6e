# SPDX-License-Identifier: Apache-2.0
"""Rule matching-alpha against a loop that solves every candidate's fixed point by scipy's brentq."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.decomposition import PCA

from tailweave.clients.selection.matching_alpha import matching_alpha
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


def alpha(eigenvalues: np.ndarray, n: int, picked: int) -> float:
    """Solve the fixed point for n a, by another root finder."""
    p = len(eigenvalues)

    def gap(scaled: float) -> float:
        a = scaled / n
        rest = 1 - p / n - a
        return float((1 / (eigenvalues * a + rest)).sum() - (p + scaled - picked) / rest)

    return float(brentq(gap, 1e-8, n - p - 1e-6, xtol=1e-12, rtol=1e-14))


def slow_loop(points: np.ndarray, x: np.ndarray, count: int) -> tuple[list[int], float]:
    """Eigenvalues of every candidate's own covariance; also the narrowest win."""
    axes = min(32, x.shape[1])
    reference = PCA(axes, svd_solver="full").fit_transform(points)
    own = PCA(axes, svd_solver="full").fit_transform(x)
    values, vectors = np.linalg.eigh(np.cov(reference, rowvar=False).reshape(axes, axes))
    whiten = vectors @ np.diag(np.maximum(values, 1e-6) ** -0.5) @ vectors.T
    picks, margin = [0], np.inf
    while len(picks) < count:
        left = [i for i in range(len(x)) if i not in picks]
        n1 = len(picks) + 1
        alphas = []
        for i in left:
            covariance = np.cov(own[[*picks, i]], rowvar=False).reshape(axes, axes)
            spectrum = np.maximum(np.linalg.eigvalsh(whiten @ covariance @ whiten), 0.0)
            alphas.append(alpha(spectrum, len(points) + n1, n1))
        if len(alphas) > 1:
            best, second = np.sort(alphas)[:2]
            margin = min(margin, second - best)
        picks.append(left[int(np.argmin(alphas))])
    return picks, margin


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(5, 12), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_those_of_the_slow_loop(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    rng = stream(seed, "case")
    points, x = rng.normal(size=(15, dimension)), 1.5 * rng.normal(size=(size, dimension)) + 2.0
    expected, margin = slow_loop(points, x, count)
    found = matching_alpha(Empirical.of(points), x, count).tolist()
    assert len(set(found)) == count
    if margin > 2e-5:  # bisection tells n a apart by 1e-5
        assert found == expected


def test_cases_of_the_slow_loop_are_not_all_ties():
    rng = stream(0, "case")
    assert slow_loop(rng.normal(size=(15, 3)), 1.5 * rng.normal(size=(12, 3)), 6)[1] > 2e-5


def test_wide_directions_are_filled_first():
    """Alpha falls with the covariance: candidates far out on the axes are what the rule wants."""
    rng = stream(0, "clouds")
    points, x = rng.normal(size=(200, 3)), rng.normal(size=(300, 3))
    picks = matching_alpha(Empirical.of(points), x, 60)
    assert x[picks].var(axis=0).min() > 1.5


def test_more_than_32_columns():
    rng = stream(0, "wide")
    points, x = rng.normal(size=(80, 40)) * np.linspace(3.0, 0.1, 40), rng.normal(size=(45, 40))
    expected, margin = slow_loop(points, x, 4)
    assert margin > 2e-5
    assert matching_alpha(Empirical.of(points), x, 4).tolist() == expected


def test_the_first_pick_is_candidate_zero_and_all_of_all_is_a_permutation():
    reference, x = Empirical.of(stream(0, "r").normal(size=(9, 2))), stream(0, "x").normal(size=(8, 2))
    assert matching_alpha(reference, x, 1).tolist() == [0]
    assert matching_alpha(reference, x[:1], 1).tolist() == [0]
    assert sorted(matching_alpha(reference, x, 8)) == list(range(8))


def test_shifts_of_either_side_change_nothing():
    points, x = stream(0, "r").normal(size=(9, 2)), stream(0, "x").normal(size=(8, 2))
    picks = matching_alpha(Empirical.of(points), x, 5)
    assert matching_alpha(Empirical.of(points + 4.0), x - 9.0, 5).tolist() == picks.tolist()


def test_bad_input_is_refused():
    points = stream(0, "r").normal(size=(9, 2))
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 4"):
        matching_alpha(Empirical.of(points), np.zeros((3, 2)), 4)
    with pytest.raises(ValueError, match="candidates must have 2 columns, got 3"):
        matching_alpha(Empirical.of(points), np.zeros((3, 3)), 1)
    with pytest.raises(ValueError, match="needs more than 2 reference points, as many as it has axes, got 2"):
        matching_alpha(Empirical.of(points[:2]), np.zeros((3, 2)), 1)
