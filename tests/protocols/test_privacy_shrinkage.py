# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.privacy.shrinkage import shrink


def test_known_answer():
    public = np.zeros((2, 2))
    noisy = np.array([[2.0, 0.5], [2.0, -0.5]])  # mean squares 4 and 0.25
    result = shrink(noisy, public, np.array([1.0, 1.0]))  # shares 3/4 and 0
    np.testing.assert_allclose(result, [[1.5, 0.0], [1.5, 0.0]])


def test_variance_may_differ_by_direction():
    noisy = np.array([[2.0], [2.0]])
    result = shrink(noisy, np.zeros((2, 1)), np.array([[1.0], [3.0]]))  # s^2 = 4 - 2 = 2
    np.testing.assert_allclose(result, [[2 * 2 / 3], [2 * 2 / 5]])


def test_no_noise_returns_the_sketch_and_hopeless_noise_the_public_one():
    rng = np.random.default_rng(0)
    noisy, public = rng.standard_normal((2, 5, 3))
    np.testing.assert_array_equal(shrink(noisy, public, np.zeros(3)), public + (noisy - public))
    np.testing.assert_array_equal(shrink(noisy, public, np.full(3, 1e9)), public)
    np.testing.assert_array_equal(shrink(public, public, np.zeros(3)), public)


@pytest.mark.parametrize("signal", [0.0, 0.3, 1.0, 3.0])
def test_it_never_loses_much_and_wins_when_noise_is_large(signal):
    rng = np.random.default_rng(1)
    truth = signal * rng.standard_normal((400, 6))
    noisy = truth + rng.standard_normal((400, 6))
    risk = ((shrink(noisy, np.zeros((400, 6)), np.ones(6)) - truth) ** 2).mean()
    oracle = signal**2 / (signal**2 + 1.0)  # risk of the best linear shrinkage; unit noise
    assert risk < oracle + 0.02  # a share estimated from 400 directions; its squared error is about 4 / 400
    assert risk < 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 10.0))
def test_result_lies_between_public_and_noisy(seed, variance):
    noisy, public = np.random.default_rng(seed).standard_normal((2, 4, 3))
    result = shrink(noisy, public, np.full(3, variance))
    low, high = np.minimum(noisy, public), np.maximum(noisy, public)
    assert ((result >= low - 1e-12) & (result <= high + 1e-12)).all()


def test_bad_inputs():
    sketch = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"public sketch must have shape \(4, 3\), got \(3, 4\)"):
        shrink(sketch, sketch.T, np.zeros(3))
    with pytest.raises(ValueError, match=r"noise variance must have shape \(4, 3\) or \(3,\), got \(4,\)"):
        shrink(sketch, sketch, np.zeros(4))
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        shrink(sketch, sketch, np.array([0.0, -1.0, 0.0]))
    with pytest.raises(ValueError, match="noise variance must be finite"):
        shrink(sketch, sketch, np.array([0.0, np.nan, 0.0]))
    with pytest.raises(ValueError, match="noisy sketch must be finite"):
        shrink(np.full((4, 3), np.inf), sketch, np.zeros(3))
