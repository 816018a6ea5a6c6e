# SPDX-License-Identifier: Apache-2.0
"""Vendi score, variance ratio and entropy against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.special import digamma
from scipy.stats import entropy, multivariate_normal

from tailweave.clients.metrics.diversity import entropy_kl, rbf_bandwidth, variance_ratio, vendi


def test_bandwidth_is_the_median_of_positive_distances():
    # distances 1, 3, 2 and, for the repeated row, 0 (left out), 1, 3: median of 1 1 2 3 3
    assert rbf_bandwidth([[0.0], [1.0], [3.0], [0.0]]) == 2.0


def test_vendi_counts_far_groups():
    x = np.repeat([[0.0], [1e6], [2e6]], [2, 2, 2], axis=0)
    assert vendi(x, 1.0) == pytest.approx(3.0, rel=1e-12)
    # unequal groups: exp of the entropy of their shares
    y = np.repeat([[0.0], [1e6]], [3, 1], axis=0)
    assert vendi(y, 1.0) == pytest.approx(np.exp(entropy([0.75, 0.25])), rel=1e-12)


def test_vendi_of_two_rows_has_a_closed_form():
    # K / 2 has eigenvalues (1 +- c) / 2 with c = exp(-d^2 / (2 b^2))
    c = np.exp(-(3.0**2) / (2.0 * 2.0**2))
    assert vendi([[0.0], [3.0]], 2.0) == pytest.approx(np.exp(entropy([(1 + c) / 2, (1 - c) / 2])), rel=1e-13)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 15), st.floats(0.1, 10.0))
def test_vendi_lies_between_one_and_n_and_ignores_repetition(seed: int, n: int, bandwidth: float):
    x = np.random.default_rng(seed).normal(size=(n, 2))
    value = vendi(x, bandwidth)
    assert 1.0 - 1e-12 <= value <= n * (1.0 + 1e-12)
    assert vendi(np.vstack([x, x]), bandwidth) == pytest.approx(value, rel=1e-9)  # same spectrum


def test_vendi_of_a_point_is_one():
    assert vendi(np.ones((7, 3)), 1.0) == pytest.approx(1.0, rel=1e-12)
    assert vendi([[5.0]], 1.0) == 1.0


def test_variance_ratio_by_hand():
    # N-1 traces: 2 + 2 against 8
    assert variance_ratio([[-1.0, 1.0], [1.0, -1.0]], [[-2.0, 0.0], [2.0, 0.0]]) == 0.5
    # tripled rows keep the sum per row, not the N-1 variance: 8/5 against 2
    assert variance_ratio([[-1.0], [-1.0], [-1.0], [1.0], [1.0], [1.0]], [[-1.0], [1.0]]) == pytest.approx(
        0.6
    )
    assert variance_ratio([[9.0]], [[-1.0], [1.0]]) == 0.0


def test_entropy_by_hand():
    # n = 3, k = 1, d = 1: distances 1, 1, 3, ball of volume 2
    expected = digamma(3) - digamma(1) + np.log(2.0) + np.log(3.0) / 3.0
    assert entropy_kl([[0.0], [1.0], [4.0]], k=1) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("k", [1, 5])
def test_entropy_of_a_gaussian(k: int):
    scales = np.array([1.0, 2.0, 0.5])
    x = np.random.default_rng(0).normal(size=(2000, 3)) * scales
    # standard error about sqrt((d/2 + psi'(k)) / n) <= .04, and a bias below .05 at this size: 6 x .04
    assert entropy_kl(x, k) == pytest.approx(multivariate_normal(cov=np.diag(scales**2)).entropy(), abs=0.24)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 4), st.floats(0.1, 10.0))
def test_entropy_grows_by_d_log_of_the_scale(seed: int, n: int, d: int, scale: float):
    x = np.random.default_rng(seed).normal(size=(n, d))
    assert entropy_kl(scale * x) == pytest.approx(entropy_kl(x) + d * np.log(scale), abs=1e-9)


def test_entropy_of_equal_rows_is_the_documented_floor():
    # n = 8, k = 5, d = 2: unit disc, every radius is the spacing of float64 at 1
    expected = digamma(8) - digamma(5) + np.log(np.pi) + 2.0 * np.log(np.spacing(1.0))
    assert entropy_kl(np.ones((8, 2))) == pytest.approx(expected, rel=1e-13)
    assert np.isfinite(entropy_kl(np.zeros((8, 2))))
    assert np.isfinite(entropy_kl([[3.0]]))


def test_entropy_of_few_rows_counts_the_neighbours_there_are():
    # two rows 3 apart: the farthest is the first neighbour
    assert entropy_kl([[0.0], [3.0]], k=5) == pytest.approx(digamma(2) - digamma(1) + np.log(6.0), rel=1e-13)


def test_entropy_over_a_part_of_the_rows_looks_for_neighbours_among_all():
    x = np.random.default_rng(1).normal(size=(500, 2))
    radii = np.sort(cdist(x, x), axis=1)[:, 3]
    part = np.linspace(0, 499, 100).round().astype(int)
    expected = digamma(500) - digamma(3) + np.log(np.pi) + 2.0 * np.log(radii[part]).mean()
    assert entropy_kl(x, 3, most=100) == pytest.approx(expected, rel=1e-12)
    assert entropy_kl(x, 3, most=1000) == entropy_kl(x, 3)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="two different rows, got 3 equal"):
        rbf_bandwidth(np.ones((3, 2)))
    with pytest.raises(ValueError, match="two different rows, got 1 equal"):
        rbf_bandwidth([[1.0]])
    for bandwidth in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="bandwidth must be positive and finite, got"):
            vendi([[1.0]], bandwidth)
    with pytest.raises(ValueError, match="two different rows, got 3 equal"):
        variance_ratio([[1.0]], [[0.1], [0.1], [0.1]])
    with pytest.raises(ValueError, match="truth must have 1 columns"):
        variance_ratio([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        entropy_kl([[1.0]], k=0)
    with pytest.raises(ValueError, match="samples must be finite"):
        entropy_kl([[np.nan]])


@pytest.mark.parametrize("count", [3, 5, 17, 48])
def test_rows_that_a_product_tore_apart_are_still_equal(count):
    """Equal rows come out of a matrix product apart in their last bits; that is no scale and no variance."""
    rng = np.random.default_rng(2)
    torn = np.tile(rng.normal(size=64), (count, 1)) @ rng.normal(size=(64, 8))
    torn[0] *= 1.0 + 4e-16  # as on the kernels that do so
    other = torn[:1] + 3.0
    assert rbf_bandwidth(np.vstack([torn, other])) == pytest.approx(3.0 * np.sqrt(8.0))
    for refuse in (lambda: rbf_bandwidth(torn), lambda: variance_ratio(torn, torn)):
        with pytest.raises(ValueError, match="at least two different rows"):
            refuse()
