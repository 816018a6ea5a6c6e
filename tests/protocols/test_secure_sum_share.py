# SPDX-License-Identifier: Apache-2.0
"""A silo's noised share, and the digest of what is summed."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import analytic_gaussian_z, rho_of
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.secure_sum.schema import schema
from tailweave.protocols.secure_sum.share import epsilon_alone, noise_variance, noisy_share
from tailweave.protocols.secure_sum.sketches import integer_sketch, pooled_summary
from tailweave.protocols.streams import stream

COSINE = SlicedReference(kind="sliced", directions=128, coefficients=8)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=128, bins=8)
PRIVACY = PrivacySpec(epsilon=2.0, min_rows=20, secure_aggregation=True, honest_silos=3)
SPACE = PublicSpace(np.zeros(4), 1.0, 1)
MAP = FeatureMap.of(SPACE)
ROWS = stream(0, "rows").normal(size=(50, 4))
FEATURES = FeatureMap(np.zeros(2), np.eye(2), np.zeros(2), 1.0)


def share(rows=ROWS, spec=COSINE, privacy=PRIVACY, charge=lambda cost: None, seed=0):
    return noisy_share(
        rows, spec, MAP, privacy, seed=1, silos=5, noise=SeededNoise(stream(seed, "noise")), charge=charge
    )


@pytest.mark.parametrize("spec", [COSINE, HISTOGRAM], ids=["cosine", "histogram"])
def test_the_pooled_noise_is_k_over_k_h_of_what_was_asked(spec):
    """K = 5 shares of K_h = 3: 1,024 coefficients, relative standard error sqrt(2 / 1024) = 4.4 %.

    Five of them are 22 %; without K / K_h the ratio would be .6, and with shares of full noise 3.
    """
    exact = integer_sketch(ROWS, spec, SPACE)
    total = sum(share(spec=spec, seed=k) - exact for k in range(5))
    found = pooled_summary(total, spec).sums.var()
    z, sensitivity = analytic_gaussian_z(2.0, 1e-6), np.sqrt(128.0)
    if spec is COSINE:  # the cap of .65 D, and what rounding to 2^-8 can add to it
        full = 0.65 * np.sqrt(128 * (sum(1 / j**2 for j in range(1, 9)) + 0.09))
        sensitivity = full + 2.0**-8 * (np.sqrt(1025) / 2 + 1)
    expected = 5 / 3 * (z * sensitivity) ** 2
    np.testing.assert_allclose(noise_variance(spec, PRIVACY, 5), expected, rtol=1e-5)
    assert abs(found / expected - 1.0) < 5 * np.sqrt(2 / 1024)


def test_the_charge_is_that_of_the_sum_and_comes_before_noise():
    costs = []
    share(charge=costs.append)
    (cost,) = costs
    assert (cost.epsilon, cost.delta) == (2.0, 1e-6)
    assert cost.rho == pytest.approx(rho_of(analytic_gaussian_z(2.0, 1e-6)), rel=1e-5)
    assert cost.mechanism.startswith("masked cosine: needs 3 honest of 5 silos, epsilon ")
    rng = stream(0, "noise")
    before = rng.bit_generator.state

    def refuse(cost):
        raise ValueError("over budget")

    with pytest.raises(ValueError, match="over budget"):
        noisy_share(ROWS, COSINE, MAP, PRIVACY, seed=1, silos=5, noise=SeededNoise(rng), charge=refuse)
    assert rng.bit_generator.state == before


def test_alone_a_share_is_worth_less():
    assert analytic_gaussian_z(epsilon_alone(PRIVACY), 1e-6) * np.sqrt(3) == pytest.approx(
        analytic_gaussian_z(2.0, 1e-6), rel=1e-4
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": ROWS[:19]}, "needs min-rows = 20 rows"),
        ({"rows": np.where(np.arange(4) == 2, np.nan, ROWS)}, "finite, got nan in column 2"),
        ({"rows": ROWS[:, :3]}, "rows must have 4 columns, got 3"),
        ({"privacy": PrivacySpec(epsilon=2.0)}, "a secure sum needs epsilon and honest-silos, got null"),
        ({"privacy": PRIVACY.model_copy(update={"epsilon": None})}, "needs epsilon and honest-silos"),
        ({"privacy": PRIVACY.model_copy(update={"delta": 0.02})}, "delta must be below 1"),
        (
            {"spec": SlicedReference(kind="sliced", basis="histogram", directions=4)},
            "each silo must add noise of at least 4.0 steps",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused_uncharged(change, said):
    charged = []
    with pytest.raises(ValueError, match=said):
        share(**change, charge=charged.append)
    assert charged == []


def test_variance_and_epsilon_need_a_secure_sum():
    for function in (lambda p: noise_variance(COSINE, p, 5), epsilon_alone):
        with pytest.raises(ValueError, match="a secure sum needs epsilon and honest-silos, got null"):
            function(PrivacySpec(epsilon=2.0))


def test_the_schema_changes_with_all_that_changes_the_vector():
    first = schema(COSINE, PRIVACY, FEATURES, 0)
    assert first == schema(COSINE, PRIVACY, replace(FEATURES), 0)
    assert first == schema(COSINE, PRIVACY.model_copy(update={"shrink": False}), FEATURES, 0)
    others = {
        schema(HISTOGRAM, PRIVACY, FEATURES, 0),
        schema(COSINE.model_copy(update={"range": 3.0}), PRIVACY, FEATURES, 0),
        schema(COSINE, PRIVACY.model_copy(update={"epsilon": 1.0}), FEATURES, 0),
        schema(COSINE, PRIVACY.model_copy(update={"honest_silos": 4}), FEATURES, 0),
        schema(COSINE, PRIVACY, replace(FEATURES, offset=np.ones(2)), 0),
        schema(COSINE, PRIVACY, FEATURES, 1),
    }
    assert len(others | {first}) == 7
