# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.privacy.mechanisms import moments
from tailweave.protocols.privacy.noise import SeededNoise


def seeded(seed=0):
    return SeededNoise(np.random.default_rng(seed))


def test_many_rows_little_noise_gives_numpys_moments():
    space = PublicSpace(np.array([1.0, 2.0, 3.0]), 2.0, seed=0)
    rng = np.random.default_rng(1)
    rows = space.center + rng.standard_normal((50_000, 3)) @ np.array(
        [[1, 0.4, 0], [0, 0.7, 0.2], [0, 0, 0.5]]
    )
    release = moments.privatise(rows, space, 0.5, noise=seeded())
    assert release.count == pytest.approx(50_000, abs=5 * 0.5 * 1.45 / 0.3)
    np.testing.assert_allclose(release.mean, rows.mean(axis=0), atol=2e-3)  # noise: 5.2 * .7 / 5e4 = 7e-5
    np.testing.assert_allclose(release.covariance, np.cov(rows.T, bias=True), atol=5e-3)  # rounding: 2e-4


def test_noise_of_products_is_of_equal_size_in_svec():
    scale, d = 3.0, 40
    noisy = moments._noised_products(np.zeros((d, d)), scale, seeded(2))
    np.testing.assert_array_equal(noisy, noisy.T)
    above = noisy[np.triu_indices(d, 1)]
    # 780 and 40 normal numbers; 5 standard errors of a variance: 6e-7
    assert abs(2 * above.var() / scale**2 - 1) < 5 * np.sqrt(2 / 780)
    assert abs(np.diag(noisy).var() / scale**2 - 1) < 5 * np.sqrt(2 / 40)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**31))
def test_covariance_is_positive_semidefinite_of_the_same_trace(d, seed):
    raw = np.random.default_rng(seed).standard_normal((d, d))
    raw += raw.T + np.eye(d)
    nearest = moments.nearest_covariance(raw)
    assert np.linalg.eigvalsh(nearest).min() > -1e-12
    assert np.trace(nearest) == pytest.approx(max(0.0, np.trace(raw)), abs=1e-9)


def test_nearest_covariance_beats_a_numerical_search():
    raw = np.random.default_rng(3).standard_normal((3, 3))
    raw += raw.T + 2.0 * np.eye(3)
    assert np.linalg.eigvalsh(raw)[0] < 0 < np.trace(raw)

    def distance(flat):
        factor = flat.reshape(3, 3)
        matrix = factor @ factor.T
        return ((matrix * np.trace(raw) / np.trace(matrix) - raw) ** 2).sum()

    starts = np.random.default_rng(5).standard_normal((5, 9))
    best = min(minimize(distance, start).fun for start in starts)
    assert ((moments.nearest_covariance(raw) - raw) ** 2).sum() == pytest.approx(best, rel=1e-4)


def test_positive_semidefinite_matrices_stay_and_hopeless_ones_vanish():
    raw = np.diag([3.0, 1.0, 0.5])
    np.testing.assert_allclose(moments.nearest_covariance(raw), raw, atol=1e-12)
    np.testing.assert_array_equal(moments.nearest_covariance(-raw), np.zeros((3, 3)))


def test_one_dimension_and_one_row():
    space = PublicSpace(np.zeros(1), 1.0, seed=0)
    release = moments.privatise(np.array([[0.4]]), space, 1.0, noise=seeded())
    assert release.covariance.shape == (1, 1)
    assert release.count >= 1.0
    assert abs(release.mean[0]) <= 1.5 + 1e-9
