# SPDX-License-Identifier: Apache-2.0
"""Moments of weighted points against numpy.cov and scikit-learn's PCA."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from tailweave.clients.selection.moments import Growing, gaussian, principal
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_covariance_is_that_of_numpy(seed, dimension, rows):
    rng = stream(seed, "case")
    points, masses = rng.normal(size=(rows, dimension)), rng.uniform(0.1, 1.0, rows)
    found = gaussian(Empirical.of(points, masses))
    np.testing.assert_allclose(found.mean, np.average(points, axis=0, weights=masses), atol=1e-12)
    expected = np.cov(points, rowvar=False, aweights=masses).reshape(dimension, dimension)
    np.testing.assert_allclose(found.factor.T @ found.factor, expected, atol=1e-12)


@pytest.mark.parametrize(("rows", "dimension"), [(30, 6), (4, 6), (30, 3)])
def test_principal_axes_are_those_of_scikit_learn(rows, dimension):
    points = stream(0, "points").normal(size=(rows, dimension)) * np.arange(1.0, dimension + 1)
    variances, axes = principal(Empirical.of(points), 3)
    pca = PCA(3).fit(points)
    np.testing.assert_allclose(variances, pca.explained_variance_, atol=1e-10)
    np.testing.assert_allclose(np.abs(axes.T @ pca.components_.T), np.eye(3), atol=1e-8)  # up to signs


def test_flat_directions_are_there_with_variance_zero():
    variances, axes = principal(Empirical.of([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), 32)
    np.testing.assert_allclose(variances, [2.0, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)


def test_a_growing_subset_keeps_numpys_covariance():
    points = stream(0, "points").normal(size=(12, 3)) + 5.0
    subset = Growing.of(points[0])
    for t in range(1, 12):
        subset.add(points[t])
        np.testing.assert_allclose(subset.mean, points[: t + 1].mean(axis=0), atol=1e-13)
        np.testing.assert_allclose(subset.scatter / t, np.cov(points[: t + 1], rowvar=False), atol=1e-12)


@pytest.mark.parametrize("masses", [None, [0.0, 1.0]])
def test_a_single_point_has_no_covariance(masses):
    points = [[1.0, 2.0]] if masses is None else [[1.0, 2.0], [3.0, 4.0]]
    reference = Empirical.of(points, None if masses is None else np.array(masses))
    with pytest.raises(ValueError, match="a covariance needs at least two reference points"):
        gaussian(reference)
