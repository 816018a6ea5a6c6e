# SPDX-License-Identifier: Apache-2.0
"""Fréchet distance against closed forms and scipy's matrix square root."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from tailweave.clients.metrics.frechet import frechet, gaussian_w2_sq, moments


def _sample(seed: int, n: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def _by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    a, b = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    shift = ((x.mean(0) - y.mean(0)) ** 2).sum()
    return float(shift + np.trace(a) + np.trace(b) - 2.0 * np.trace(sqrtm(a @ b)).real)


def test_one_dimension_by_hand():
    # means 1 and 5; N-1 variances 2 and 8: 4^2 + (sqrt 8 - sqrt 2)^2 = 16 + 2
    assert frechet([[0.0], [2.0]], [[3.0], [7.0]]) == pytest.approx(18.0, rel=1e-14)


def test_diagonal_gaussians_have_the_closed_form():
    corners = np.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])  # N-1 covariance 4/3 I
    x, y = corners * [1.0, 2.0], corners * [3.0, 0.5] + [1.0, -1.0]
    assert frechet(x, y) == pytest.approx(2.0 + 4.0 / 3.0 * (2.0**2 + 1.5**2), rel=1e-13)


@pytest.mark.parametrize("d", [1, 2, 7, 20])
def test_agrees_with_the_matrix_square_root(d: int):
    x, y = _sample(1, 60, d), _sample(2, 45, d)
    # sqrtm of an ill-conditioned product loses about half the digits
    assert frechet(x, y) == pytest.approx(_by_sqrtm(x, y), rel=1e-7)


def test_singular_covariances_need_no_ridge():
    # x varies along the first axis, y along the second: no overlap, so the traces add
    x = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    y = np.array([[0.0, -2.0, 0.0], [0.0, 2.0, 0.0]])
    assert frechet(x, y) == pytest.approx(2.0 + 8.0, rel=1e-14)


def test_fewer_rows_than_columns():
    x, y = _sample(3, 4, 9), _sample(4, 6, 9)
    # the same law in the span of all rows, where nothing is lost
    basis = np.linalg.svd(np.vstack([x, y]), full_matrices=True)[2]
    assert frechet(x, y) == pytest.approx(frechet(x @ basis.T, y @ basis.T), rel=1e-12)
    assert frechet(x, x) <= 1e-12 * (x**2).sum()


def test_rounding_never_goes_below_zero():
    for seed in range(20):  # without the clip about half of these are negative
        x = _sample(seed, 30, 5)
        assert 0.0 <= frechet(x, x) <= 1e-12 * (x**2).sum()


def test_one_row_is_a_point():
    y = _sample(5, 30, 3)
    expected = ((y.mean(0) - 1.0) ** 2).sum() + np.trace(np.cov(y.T))
    assert frechet(np.ones((1, 3)), y) == pytest.approx(expected, rel=1e-13)
    assert frechet([[1.0, 2.0]], [[1.0, 2.0]]) == 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 6), st.floats(-50.0, 50.0))
def test_symmetric_nonnegative_and_blind_to_a_common_shift(seed: int, n: int, d: int, shift: float):
    x, y = _sample(seed, n, d), _sample(seed + 1, n + 3, d)
    value = frechet(x, y)
    scale = 1.0 + (x**2).sum() + (y**2).sum() + shift**2  # 1e-12: float error of sums of squares this large
    assert value >= 0.0
    assert frechet(y, x) == pytest.approx(value, abs=1e-12 * scale)
    assert frechet(x + shift, y + shift) == pytest.approx(value, abs=1e-12 * scale)
    assert frechet(3.0 * x, 3.0 * y) == pytest.approx(9.0 * value, abs=1e-12 * scale)


def test_bias_between_samples_of_one_round_gaussian():
    rng = np.random.default_rng(0)
    values = [frechet(rng.normal(size=(300, 5)), rng.normal(size=(200, 5))) for _ in range(100)]
    # docstring: (d + 5)/4 tr S (1/m + 1/r) to first order. Relative standard deviation of one value is about
    # sqrt(2/20), so the mean has 3.2 %; 6 standard errors and 2 % of higher order (false alarm < 1e-8)
    assert np.mean(values) == pytest.approx(10 / 4 * 5 * (1 / 300 + 1 / 200), rel=0.21)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="truth must have 2 columns, got 3"):
        frechet(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="generated must be finite, got nan"):
        frechet([[np.nan]], [[1.0]])
    with pytest.raises(ValueError, match="samples must be a non-empty matrix"):
        moments(np.empty((0, 2)))
    with pytest.raises(ValueError, match="b must have 2 dimensions as a has, got 3"):
        gaussian_w2_sq(moments(np.ones((2, 2))), moments(np.ones((2, 3))))
