# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.simulation.paper.expectation import go_on


def start(rng, *, dimensions=3):
    roots = rng.standard_normal((2, dimensions, dimensions))
    covariances = roots @ roots.transpose(0, 2, 1) + np.eye(dimensions)
    return Mixture(np.array([0.3, 0.7]), rng.standard_normal((2, dimensions)), covariances)


@pytest.mark.parametrize(("rows", "steps"), [(60, 100), (60, 3), (9000, 100)])
def test_equals_scikit_learn_from_the_same_start(rows, steps):
    rng = np.random.default_rng(rows)
    x = np.concatenate(
        [rng.standard_normal((rows // 3, 3)), 2 + 0.5 * rng.standard_normal((rows * 2 // 3, 3))]
    )
    begin = start(rng)
    precisions = np.linalg.inv(begin.covariances)
    em = GaussianMixture(
        2,
        reg_covar=1e-6,
        max_iter=steps,
        weights_init=begin.weights,
        means_init=begin.means,
        precisions_init=(precisions + precisions.transpose(0, 2, 1)) / 2,
    )
    if steps == 3:
        with pytest.warns(match="did not converge"):
            em.fit(x)
    else:
        em.fit(x)
    found = go_on(begin, x, ridge=1e-6, steps=steps)
    np.testing.assert_allclose(found.weights, em.weights_, atol=1e-11)
    np.testing.assert_allclose(found.means, em.means_, atol=1e-11)
    np.testing.assert_allclose(found.covariances, em.covariances_, atol=1e-11)


def test_one_component_is_maximum_likelihood_in_one_step():
    x = np.random.default_rng(1).standard_normal((5000, 2)) + 1e3  # more than one block, far from the origin
    found = go_on(Mixture(np.ones(1), np.full((1, 2), 1e3), np.eye(2)[None]), x, ridge=1e-6)
    np.testing.assert_allclose(found.means[0], x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.covariances[0], np.cov(x.T, bias=True) + 1e-6 * np.eye(2), rtol=1e-10)


def test_a_component_without_rows_dies_quietly():
    x = np.random.default_rng(2).standard_normal((50, 2))
    begin = Mixture(np.array([0.5, 0.5]), np.array([[0.0, 0.0], [1e4, 1e4]]), np.stack([np.eye(2)] * 2))
    with np.errstate(all="raise", under="ignore"):
        found = go_on(go_on(begin, x, ridge=1e-6), x, ridge=1e-6)
    assert found.weights == pytest.approx([1.0, 0.0], abs=1e-15)
    assert all(np.isfinite(array).all() for array in (found.weights, found.means, found.covariances))
    assert np.linalg.eigvalsh(found.covariances).min() > 0


def test_bad_inputs():
    begin = start(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"rows must have 3 columns, got shape \(5, 2\)"):
        go_on(begin, np.zeros((5, 2)), ridge=1e-6)
    with pytest.raises(ValueError, match="ridge must be positive, got 0"):
        go_on(begin, np.zeros((5, 3)), ridge=0)
