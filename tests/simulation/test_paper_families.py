# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.protocols.kinds.studies.families import FAMILIES
from tailweave.simulation.paper.families import dispersion, family_world, follow
from tailweave.simulation.paper.gaussian import SETTINGS, Recursion
from tailweave.simulation.paper.shapes import RIDGE, Laplace, draw, facts, refit

# Source of published numbers: NonGaussian_Modeling of arXiv 2606.13732's public code.
SEEDS = (42, 123, 456, 789, 2024)


def test_the_truths_are_built_as_published():
    world, truths = family_world(42, dimensions=10)
    gmm, unequal = truths["gmm"], truths["unequal-gmm"]
    assert (gmm.weights.tolist(), unequal.weights.tolist()) == ([0.5, 0.5], [0.8, 0.2])
    for one in (gmm, unequal):
        np.testing.assert_allclose(one.means.mean(axis=0), world.mean)
        assert np.linalg.norm(one.means[0] - one.means[1]) == pytest.approx(1.8)
        np.testing.assert_allclose(one.covariances[0], 0.7 * world.covariance + 1e-6 * np.eye(10))
        np.testing.assert_allclose(one.covariances[1], 0.9 * world.covariance + 1e-6 * np.eye(10))
    assert np.abs(gmm.means - unequal.means).max() > 0.1  # each draws a direction of its own
    assert np.sum(world.target != world.mean) == 5
    np.testing.assert_allclose(2 * truths["laplace"].scale ** 2, np.diag(world.covariance))
    assert truths["anisotropic"].covariance is world.covariance


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_have_the_moments_of_their_model(family):
    world, truths = family_world(3, dimensions=4)
    rows = draw(truths[family], 40_000, rng=np.random.default_rng(0))
    mean, covariance = world.mean, world.covariance
    if "gmm" in family:
        of = truths[family]
        mean = of.weights @ of.means
        covariance = np.einsum("k,kij->ij", of.weights, of.covariances) + np.cov(
            of.means.T, aweights=of.weights, bias=True
        )
    if family == "laplace":
        covariance = np.diag(np.diag(covariance))
    scale = np.sqrt(np.diag(covariance))
    # 6 standard errors of a mean (1 / 200) and, kurtosis at most 6, of a covariance
    assert np.abs((rows.mean(axis=0) - mean) / scale).max() < 6 / 200
    assert np.abs((np.cov(rows.T) - covariance) / np.outer(scale, scale)).max() < 6 * np.sqrt(6) / 200


def test_a_dead_component_draws_nothing():
    mixture = Mixture(np.array([1.0, 0.0]), np.array([[0.0, 0.0], [1e4, 1e4]]), np.stack([np.eye(2)] * 2))
    rows = draw(mixture, 50, rng=np.random.default_rng(0))
    assert (rows.shape, bool((rows < 1e3).all())) == ((50, 2), True)


def test_refits_are_maximum_likelihood():
    rows = np.random.default_rng(4).laplace(size=(201, 3))
    laplace = refit(Laplace(np.zeros(3), np.ones(3)), rows)
    np.testing.assert_array_equal(laplace.location, np.sort(rows, axis=0)[100])
    np.testing.assert_allclose(laplace.scale, np.abs(rows - laplace.location).mean(axis=0) + RIDGE)
    gaussian = refit(Gaussian(np.zeros(3), np.eye(3)), rows)
    away = rows - rows.mean(axis=0)
    np.testing.assert_allclose(gaussian.covariance, away.T @ away / 201 + RIDGE * np.eye(3))


def test_facts_of_a_mixture():
    truth = family_world(1, dimensions=3)[1]["unequal-gmm"]
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert facts(truth) == pytest.approx({"smallest_weight": 0.2, "weight_entropy": entropy})


def test_dispersion_is_the_mean_squared_distance_of_two_rows():
    rows = np.random.default_rng(5).standard_normal((40, 3))
    pairs = ((rows[:, None] - rows[None]) ** 2).sum(axis=2).mean()
    assert dispersion(rows) == pytest.approx(pairs, rel=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_zero_is_the_truth_but_for_sampling(family):
    first = follow(family, "replace", 42, Recursion(20, 0.5, 1), dimensions=10, at=[0])[0]
    # both sides 4,096 rows; a trace of 10 coordinates scatters by a few per cent (Laplace: more)
    assert first["dispersion_ratio"] == pytest.approx(1, abs=0.25)
    assert first["sliced_w1"] < 0.5
    assert first["mean_error_sq"] < 1.5 or family == "unequal-gmm"


@pytest.mark.parametrize("family", FAMILIES)
def test_replacing_a_biased_selection_kills_every_family(family):
    last = follow(family, "replace+select", 42, Recursion(30, 0.05, 200), dimensions=10, at=[200])[0]
    assert last["dispersion_ratio"] <= 1e-4


def test_selection_pulls_towards_the_biased_target():
    world = family_world(42, dimensions=10)[0]
    gap_sq = np.sum((world.target - world.mean) ** 2)
    ours = follow("anisotropic", "accumulate+select", 42, Recursion(60, 0.05, 40), dimensions=10, at=[40])[0]
    assert ours["mean_error_sq"] > 0.5 * gap_sq  # at the target it is gap_sq, without a bias about 0


def test_judging_changes_nothing_and_runs_repeat():
    recursion = Recursion(20, 0.25, 6)
    every = follow("gmm", "accumulate+select", 7, recursion, dimensions=3, at=range(7))
    some = follow("gmm", "accumulate+select", 7, recursion, dimensions=3, at=[2, 6])
    assert some == [every[2], every[6]]


def test_accumulate_keeps_what_replace_loses():
    recursion = Recursion(10, 0.5, 100)
    kept, lost = (
        follow("laplace", s, 1, recursion, dimensions=3, at=[100])[0]["dispersion_ratio"]
        for s in ("accumulate", "replace")
    )
    assert kept > 0.3 > 0.05 > lost


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "published"), [(100, 0.0169), (300, 0.0161), (500, 0.0149)])
def test_laplace_accumulate_select_ends_as_published(samples, published):
    recursion = Recursion(samples, 0.05, 200)
    ours = [
        follow("laplace", "accumulate+select", seed, recursion, dimensions=10, at=[200])[0][
            "dispersion_ratio"
        ]
        for seed in SEEDS
    ]
    assert published / 1.6 < np.mean(ours) < published * 1.6


def test_bad_inputs():
    with pytest.raises(ValueError, match=r"at must hold generations in 0..3, got \[4\]"):
        follow("gmm", SETTINGS[0], 1, Recursion(10, 0.5, 3), dimensions=3, at=[4])
    with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\]"):
        follow("gmm", "replace+select", 1, Recursion(10, 1.5, 3), dimensions=3, at=[3])
