# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, density, coverage and memorisation against hand values and slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tailweave.clients.metrics import neighbours
from tailweave.clients.metrics.neighbours import (
    generalization_score,
    memorization,
    neighbour_radii,
    precision_recall_density_coverage,
    resolution,
)


def _slow(x: np.ndarray, y: np.ndarray, k: int) -> dict[str, float]:
    def radius(sample, i):
        return sorted(np.linalg.norm(sample[i] - sample[j]) for j in range(len(sample)) if j != i)[k - 1]

    rx, ry = [radius(x, i) for i in range(len(x))], [radius(y, j) for j in range(len(y))]
    near = np.array([[np.linalg.norm(a - b) for b in y] for a in x])
    return {
        "precision": np.mean([any(near[i, j] <= ry[j] for j in range(len(y))) for i in range(len(x))]),
        "recall": np.mean([any(near[i, j] <= rx[i] for i in range(len(x))) for j in range(len(y))]),
        "density": sum(near[i, j] <= ry[j] for i in range(len(x)) for j in range(len(y))) / (k * len(x)),
        "coverage": np.mean([any(near[i, j] <= ry[j] for i in range(len(x))) for j in range(len(y))]),
    }


def test_on_the_line_by_hand():
    # k = 1; truth 0, 1, 10 has radii 1, 1, 9; generated 2, 2.5, 30 has radii 0.5, 0.5, 27.5.
    # 2 lies in the balls of 1 (border) and 10, 2.5 in that of 10, 30 in none; no true row is within 0.5 of
    # 2 or 2.5, while 30 reaches down to 2.5, so to 10 alone. The ball of 0 holds nothing.
    values = precision_recall_density_coverage([[2.0], [2.5], [30.0]], [[0.0], [1.0], [10.0]], k=1)
    assert values == pytest.approx({"precision": 2 / 3, "recall": 1 / 3, "density": 3 / 3, "coverage": 2 / 3})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(5, 12), st.integers(5, 12))
def test_agrees_with_a_slow_loop(seed: int, k: int, m: int, r: int):
    rng = np.random.default_rng(seed)
    x, y = 0.7 * rng.normal(size=(m, 2)), rng.normal(size=(r, 2))
    assert precision_recall_density_coverage(x, y, k) == pytest.approx(_slow(x, y, k), rel=1e-14)


def test_default_neighbour_is_the_fifth():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(25, 3))
    assert precision_recall_density_coverage(x, y) == precision_recall_density_coverage(x, y, k=5)
    assert precision_recall_density_coverage(x, y) != precision_recall_density_coverage(x, y, k=4)


def test_lost_modes_lower_recall_and_coverage_but_not_precision():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(200, 2)) + np.repeat([[0.0, 0.0], [50.0, 0.0]], 100, axis=0)
    values = precision_recall_density_coverage(y[:100] + 1e-9, y)
    assert values["precision"] == 1.0
    assert values["recall"] == 0.5
    assert values["coverage"] == 0.5


def test_identical_points_have_radius_zero_that_holds_its_border():
    y = np.array([[0.0], [1.0], [2.0]])
    values = precision_recall_density_coverage(np.zeros((10, 1)), y, k=1)
    assert values == pytest.approx({"precision": 1.0, "recall": 1 / 3, "density": 2.0, "coverage": 2 / 3})


def test_too_few_rows_use_the_farthest_there_is():
    two = np.array([[0.0], [3.0]])
    np.testing.assert_array_equal(neighbour_radii(cdist(two, two), 5), [3.0, 3.0])
    np.testing.assert_array_equal(neighbour_radii(np.zeros((1, 1)), 5), [0.0])
    # a single neighbour exists, so density divides by 1: each of the 2 balls holds the generated row
    values = precision_recall_density_coverage([[1.0]], two, k=5)
    assert values == {"precision": 1.0, "recall": 0.0, "density": 2.0, "coverage": 1.0}
    one = precision_recall_density_coverage([[1.0]], [[1.0]], k=5)
    assert one == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}


def test_generalization_score_by_hand():
    assert generalization_score([[0.0, 0.0], [3.0, 0.0]], [[0.0, 4.0], [3.0, 1.0]]) == (10**0.5 + 1.0) / 2
    assert generalization_score([[1.0], [2.0]], [[2.0], [1.0], [7.0]]) == 0.0


def test_generalization_score_is_the_same_in_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    x, z = rng.normal(size=(50, 4)), rng.normal(size=(33, 4))
    whole = generalization_score(x, z)
    monkeypatch.setattr(neighbours, "_BLOCK", 33 * 7)
    assert generalization_score(x, z) == whole == cdist(x, z).min(axis=1).mean()


def test_memorization_by_hand():
    # generated are 1 from the training row, the truth is 4 away on average
    assert memorization([[1.0], [-1.0]], [[0.0]], [[3.0], [5.0]]) == 0.25
    assert memorization([[0.0]], [[0.0]], [[3.0]]) == 0.0


def test_memorization_is_near_one_for_fresh_truth():
    rng = np.random.default_rng(3)
    x, z, y = (rng.normal(size=(1000, 5)) for _ in range(3))
    # nearest distances have a relative spread near .3 here: standard error .3 sqrt(2/1000) = .013, times 6
    assert memorization(x, z, y) == pytest.approx(1.0, abs=0.08)


def test_memorization_stays_finite_when_the_truth_was_trained_on():
    y = np.array([[0.0], [2.0]])
    assert memorization([[1.0]], y, y) == 1.0 / resolution(y)
    assert memorization(y, y, y) == 0.0
    assert memorization([[0.0]], [[0.0]], [[0.0]]) == 0.0


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        precision_recall_density_coverage([[1.0]], [[1.0]], k=0)
    with pytest.raises(ValueError, match="truth must have 1 columns, got 2"):
        precision_recall_density_coverage([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="training must have 1 columns, got 2"):
        generalization_score([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="truth must be finite"):
        memorization([[1.0]], [[1.0]], [[np.nan]])
