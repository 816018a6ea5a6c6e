# SPDX-License-Identifier: Apache-2.0
"""Training that goes on from an average: against scikit-learn, pooled rows, and one silo alone."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from tailweave.clients.generators import fit, from_arrays
from tailweave.clients.generators.averaged import responsibilities, trainable
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.parameters import model_of, parameters_of
from tailweave.protocols.streams import stream

MIXTURE = GaussianMixtureSpec(kind="gaussian-mixture", components=4, ridge=1e-3, start="federated")
CENTERS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [6.0, 6.0]])
RNG = stream(9, "unused")


def modes(name: str, counts: tuple[int, ...]) -> np.ndarray:
    rng = stream(0, name)
    return np.concatenate([c + rng.normal(size=(n, 2)) for c, n in zip(CENTERS, counts, strict=True)])


SILOS = [modes("a", (200, 10, 0, 0)), modes("b", (0, 200, 90, 0)), modes("c", (0, 0, 0, 500))]
PUBLIC = modes("public", (6, 6, 6, 6))
POOLED = np.concatenate(SILOS)
BASE = Mixture.fit(Samples.of(PUBLIC), components=4, ridge=1e-3, rng=stream(0, "base"))
START = parameters_of(MIXTURE, BASE.arrays())


def as_sklearn(arrays: dict) -> GaussianMixture:
    model = GaussianMixture(4, weights_init=arrays["weights"])
    model.weights_, model.means_, model.covariances_ = (
        arrays[n] for n in ("weights", "means", "covariances")
    )
    model.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(arrays["covariances"])).transpose(0, 2, 1)
    return model


def log_likelihood(arrays: dict) -> float:
    return float(as_sklearn(arrays).score(POOLED))


def federated_round(model: dict) -> dict:
    shares = [len(rows) / len(POOLED) for rows in SILOS]
    parts = [trainable(MIXTURE, model).train(rows, rng=RNG, steps=1).parameters() for rows in SILOS]
    return {n: sum(s * p[n] for s, p in zip(shares, parts, strict=True)) for n in model}


def test_responsibilities_are_scikit_learns():
    found = responsibilities(MIXTURE, START, POOLED)
    np.testing.assert_allclose(found, as_sklearn(BASE.arrays()).predict_proba(POOLED), atol=1e-10)


def test_two_steps_at_once_are_two_steps():
    model = trainable(MIXTURE, START)
    twice = model.train(POOLED, rng=RNG, steps=2).parameters()
    after = model.train(POOLED, rng=RNG, steps=1).train(POOLED, rng=RNG, steps=1).parameters()
    assert all(twice[n].tobytes() == after[n].tobytes() for n in after)


def test_a_round_over_silos_is_a_step_of_em_on_the_pooled_rows():
    pooled = trainable(MIXTURE, START).train(POOLED, rng=RNG, steps=1).parameters()
    averaged = federated_round(START)
    for name, array in pooled.items():
        np.testing.assert_allclose(averaged[name], array, atol=1e-11)


def test_the_likelihood_of_all_rows_rises_with_the_rounds_and_beats_every_silo_alone():
    model, found = START, [log_likelihood(model_of(MIXTURE, START))]
    for _ in range(8):
        model = federated_round(model)
        found.append(log_likelihood(model_of(MIXTURE, model)))
    assert all(after > before - 1e-3 for before, after in zip(found, found[1:], strict=False))  # the ridge
    assert found[-1] > found[0] + 0.1
    alone = [fit(MIXTURE, Samples.of(rows), rng=stream(0, "alone")).arrays() for rows in SILOS]
    assert found[-1] > max(log_likelihood(arrays) for arrays in alone) + 1.0


def test_one_gaussian_is_its_rows_whatever_it_began_with():
    spec = GaussianSpec(kind="gaussian", ridge=1e-3)
    far = {"mean": np.array([50.0, 50.0]), "second": 9000.0 * np.eye(2)}
    found = model_of(spec, trainable(spec, far).train(POOLED, rng=RNG, steps=1).parameters())
    for name, array in fit(spec, Samples.of(POOLED), rng=RNG).arrays().items():
        np.testing.assert_allclose(found[name], array, atol=1e-12)


def test_what_comes_out_can_be_sampled():
    model = from_arrays(MIXTURE, model_of(MIXTURE, federated_round(START)))
    assert model.sample(50, rng=stream(0, "draw")).values.shape == (50, 2)


@pytest.mark.parametrize("spec", [GaussianSpec(kind="gaussian"), MIXTURE])
def test_rows_of_other_columns_are_refused(spec):
    held = START if spec is MIXTURE else {"mean": np.zeros(2), "second": np.eye(2)}
    with pytest.raises(ValueError, match="training rows must have 2 columns, got 3"):
        trainable(spec, held).train(np.zeros((5, 3)), rng=RNG, steps=1)
