# SPDX-License-Identifier: Apache-2.0
"""Energy distance against scipy, hand values and a slow loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance as scipy_energy

from tailweave.clients.metrics.energy import energy_distance, energy_from_means


def test_two_points_by_hand():
    # 2 * 5 - 0 - 0
    assert energy_distance([[0.0, 0.0]], [[3.0, 4.0]]) == 10.0
    # 2 * (1 + 1)/2 - 0 - (0 + 2 + 2 + 0)/4: the zeros of a row with itself count (V-statistic)
    assert energy_distance([[0.0]], [[-1.0], [1.0]]) == 1.0


def test_one_dimension_agrees_with_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 1)), rng.exponential(size=(17, 1))
    # scipy returns the root of the same V-statistic
    assert energy_distance(x, y) == pytest.approx(scipy_energy(x[:, 0], y[:, 0]) ** 2, rel=1e-12)


def test_agrees_with_a_slow_loop():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(8, 3))

    def mean(a, b):
        return np.mean([np.sqrt(((u - v) ** 2).sum()) for u in a for v in b])

    assert energy_distance(x, y) == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y), rel=1e-13)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(1, 4))
def test_zero_for_equal_samples_positive_for_others(seed: int, n: int, d: int):
    x = np.random.default_rng(seed).normal(size=(n, d))
    assert energy_distance(x, np.vstack([x[::-1], x])) <= 1e-14 * n  # float error of a mean of distances
    assert energy_distance(x, x + 1.0) > 1e-6


def test_rounding_below_zero_is_zero():
    assert energy_from_means(1.0, 1.0, np.nextafter(1.0, 2.0)) == 0.0


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="truth must have 2 columns, got 3"):
        energy_distance(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="generated must be a non-empty matrix"):
        energy_distance([], [[1.0]])
