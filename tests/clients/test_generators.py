# SPDX-License-Identifier: Apache-2.0
"""Generators: maximum likelihood against numpy, moments of what they draw, and their way over the wire."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from tailweave.clients import generators
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.samples import Numbers, Samples
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.streams import stream

ALARM = 6.0
"""Standard errors allowed: two-sided 2e-9 each, so below 1e-6 over the few hundred entries compared."""


def rows_of(count: int, seed: int = 0) -> np.ndarray:
    return (
        stream(seed, "rows").normal(size=(count, 3)) @ np.array([[2.0, 0.5, 0], [0, 1, 0.3], [0, 0, 0.2]])
        - 4.0
    )


def two_modes() -> Mixture:
    covariances = np.array([[[1.0, 0.6], [0.6, 0.5]], [[0.2, 0.0], [0.0, 3.0]]])
    return Mixture(np.array([0.25, 0.75]), np.array([[-8.0, 0.0], [5.0, 2.0]]), covariances)


def overlapping() -> Mixture:
    covariances = np.array([[[1.0, 0.6], [0.6, 0.5]], [[2.0, 1.5], [1.5, 1.5]]])
    return Mixture(np.array([0.4, 0.6]), np.array([[-0.5, 0.0], [0.0, 0.3]]), covariances)


def test_gaussian_fit_is_numpys_maximum_likelihood():
    rows = rows_of(500)
    fitted = Gaussian.fit(Samples.of(rows), ridge=1e-3)
    np.testing.assert_allclose(fitted.mean, rows.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(
        fitted.covariance, np.cov(rows.T, bias=True) + 1e-3 * np.eye(3), rtol=1e-10, atol=1e-13
    )


def test_mixture_of_one_is_the_same_gaussian():
    rows = rows_of(400)
    fitted = Mixture.fit(Samples.of(rows), components=1, ridge=1e-3, rng=stream(0, "fit"))
    gaussian = Gaussian.fit(Samples.of(rows), ridge=1e-3)
    np.testing.assert_allclose(fitted.means[0], gaussian.mean, rtol=1e-10)
    np.testing.assert_allclose(fitted.covariances[0], gaussian.covariance, rtol=1e-9, atol=1e-12)


def test_mixture_fit_finds_two_well_separated_modes():
    truth = two_modes()
    rows = truth.sample(4000, rng=stream(0, "truth")).values
    fitted = Mixture.fit(Samples.of(rows), components=2, ridge=1e-6, rng=stream(0, "fit"))
    order = np.argsort(fitted.means[:, 0])
    assert np.abs(fitted.weights[order] - truth.weights).max() < ALARM * np.sqrt(0.25 * 0.75 / 4000)
    spread = np.sqrt(np.diagonal(truth.covariances, axis1=1, axis2=2) / (4000 * truth.weights[:, None]))
    assert (np.abs(fitted.means[order] - truth.means) < ALARM * spread).all()


def test_mixture_fit_is_no_less_likely_than_scikit_learns():
    rows = two_modes().sample(300, rng=stream(1, "truth")).values
    fitted = Mixture.fit(Samples.of(rows), components=2, ridge=1e-6, rng=stream(0, "fit"))
    oracle = GaussianMixture(2, random_state=0).fit(rows)
    oracle.weights_, oracle.means_, oracle.covariances_ = fitted.weights, fitted.means, fitted.covariances
    oracle.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(fitted.covariances))
    # EM stops when the mean log-likelihood grows by less than 1e-3 a round.
    assert oracle.score(rows) >= GaussianMixture(2, random_state=1).fit(rows).score(rows) - 1e-2


def test_mixture_fit_depends_on_its_stream_only():
    rows = rows_of(200)
    one, same = (
        Mixture.fit(Samples.of(rows), components=4, ridge=1e-6, rng=stream(3, "fit")) for _ in range(2)
    )
    assert all(np.array_equal(one.arrays()[name], same.arrays()[name]) for name in one.arrays())


@pytest.mark.parametrize(
    "model", [Gaussian(np.array([3.0, -2.0]), np.array([[2.0, 0.9], [0.9, 1.0]])), two_modes(), overlapping()]
)
def test_samples_have_the_models_moments(model):
    count = 40_000
    draws = model.sample(count, rng=stream(0, "sample")).values
    weights, means, covariances = (
        (model.weights, model.means, model.covariances)
        if isinstance(model, Mixture)
        else (np.ones(1), model.mean[None], model.covariance[None])
    )
    mean = weights @ means
    gaps = means - mean
    covariance = np.einsum("k,kij->ij", weights, covariances + gaps[:, :, None] * gaps[:, None, :])
    centred = draws - mean
    products = centred[:, :, None] * centred[:, None, :]
    assert (np.abs(centred.mean(axis=0)) < ALARM * draws.std(axis=0) / np.sqrt(count)).all()
    error = products.std(axis=0) / np.sqrt(count)
    assert (np.abs(products.mean(axis=0) - covariance) < ALARM * error).all()


def test_samples_of_a_mixture_come_in_random_order_of_components():
    draws = two_modes().sample(2000, rng=stream(0, "sample")).values
    left = (draws[:, 0] < -2).astype(float)
    # Independent owners: correlation of neighbours is 0 with standard error 1 / sqrt(2000).
    assert abs(np.corrcoef(left[1:], left[:-1])[0, 1]) < ALARM / np.sqrt(2000)


@given(st.integers(0, 10_000), st.sampled_from(["gaussian", "gaussian-mixture"]))
@settings(max_examples=15, deadline=None)
def test_arrays_and_back_draw_the_same_rows(seed, kind):
    spec = GaussianSpec(kind=kind) if kind == "gaussian" else GaussianMixtureSpec(kind=kind, components=3)
    model = generators.fit(spec, Samples.of(rows_of(40, seed)), rng=stream(seed, "fit"))
    again = generators.from_arrays(spec, model.arrays())
    one, two = (m.sample(20, rng=stream(seed, "sample")).values for m in (model, again))
    assert np.array_equal(one, two)


def test_one_row_gives_the_ridge_alone():
    fitted = Gaussian.fit(Samples.of([[1.0, 2.0]]), ridge=0.5)
    assert np.array_equal(fitted.covariance, 0.5 * np.eye(2))


def test_equal_rows_give_a_model_that_stays_within_the_ridge():
    rows = np.tile([1.0, -1.0], (30, 1))
    fitted = Mixture.fit(Samples.of(rows), components=3, ridge=1e-6, rng=stream(0, "fit"))
    draws = fitted.sample(100, rng=stream(0, "sample")).values
    assert np.abs(draws - rows[0]).max() < 8e-3  # 8 standard deviations of sqrt(1e-6)


def test_fewer_rows_than_components_are_refused():
    with pytest.raises(ValueError, match="components must be at most the 3 training rows, got 4"):
        Mixture.fit(Samples.of(rows_of(3)), components=4, ridge=1e-6, rng=stream(0, "fit"))


@pytest.mark.parametrize(
    ("kind", "arrays", "message"),
    [
        ("gaussian", {"mean": np.zeros(2)}, r"needs arrays \['covariance', 'mean'\], got \['mean'\]"),
        ("gaussian", {"mean": np.zeros(2), "covariance": np.eye(3)}, "do not fit together"),
        ("gaussian", {"mean": np.full(1, np.nan), "covariance": np.eye(1)}, "must be finite"),
        ("gaussian-mixture", {"weights": np.ones(1)}, r"needs arrays \['covariances', 'means', 'weights'\]"),
        (
            "gaussian-mixture",
            {"weights": np.ones(2), "means": np.zeros((1, 2)), "covariances": np.eye(2)[None]},
            "do not fit",
        ),
        (
            "gaussian-mixture",
            {"weights": -np.ones(1), "means": np.zeros((1, 2)), "covariances": np.eye(2)[None]},
            "non-negative",
        ),
        (
            "gaussian-mixture",
            {"weights": np.ones(1), "means": np.zeros((1, 1)), "covariances": np.full((1, 1, 1), np.inf)},
            "must be finite",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused(kind, arrays, message):
    spec = GaussianSpec(kind=kind) if kind == "gaussian" else GaussianMixtureSpec(kind=kind)
    with pytest.raises(ValueError, match=message):
        generators.from_arrays(spec, arrays)


def test_a_covariance_that_is_not_positive_definite_cannot_be_drawn_from():
    model = generators.from_arrays(
        GaussianSpec(kind="gaussian"), {"mean": np.zeros(2), "covariance": np.diag([1.0, -1.0])}
    )
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        model.sample(1, rng=stream(0, "sample"))


@pytest.mark.parametrize(
    "model", [Gaussian(np.array([3.0, -2.0]), np.array([[2.0, 0.9], [0.9, 1.0]])), two_modes(), overlapping()]
)
def test_log_probabilities_are_scipys(model):
    samples = model.sample(50, rng=stream(0, "sample"))
    parts = (
        list(zip(model.weights, model.means, model.covariances, strict=True))
        if isinstance(model, Mixture)
        else [(1.0, model.mean, model.covariance)]
    )
    density = sum(w * multivariate_normal(mean, c).pdf(samples.values) for w, mean, c in parts)
    np.testing.assert_allclose(model.log_probabilities(samples), np.log(density), rtol=1e-10)


def test_what_is_drawn_is_of_the_sort_that_was_fitted_on():
    samples = Samples.of(rows_of(30), sort=Numbers(("a", "b", "c")))
    model = Gaussian.fit(samples, ridge=1e-3)
    assert model.sample(2, rng=stream(0, "sample")).columns == ("a", "b", "c")
    again = generators.from_arrays(GaussianSpec(kind="gaussian"), model.arrays(), samples.sort)
    assert again.sample(2, rng=stream(0, "sample")).sort == samples.sort
