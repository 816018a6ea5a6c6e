# SPDX-License-Identifier: Apache-2.0
"""Distribution tests; each has a false-alarm rate below 1e-6 (p-values are compared with 1e-6)."""

import numpy as np
import pytest
from scipy.stats import chisquare

from tailweave.protocols.privacy.noise import SeededNoise, SystemNoise

ALARM = 1e-6


def sources():
    return [SeededNoise(np.random.default_rng(5)), SystemNoise()]


@pytest.mark.parametrize("noise", sources(), ids=lambda n: n.name)
@pytest.mark.parametrize("scale", [4.0, 9.3])
def test_discrete_gaussian_has_its_probabilities(noise, scale):
    draws = noise.discrete_gaussian(scale, (8000,))
    assert draws.dtype == np.int64
    edge = int(2.5 * scale)
    points = np.arange(-20 * edge, 20 * edge + 1)
    mass = np.exp(-0.5 * (points / scale) ** 2)
    mass /= mass.sum()
    inside = np.abs(points) <= edge
    expected = [*(8000 * mass[inside]), 8000 * mass[~inside].sum()]
    seen = [int((draws == k).sum()) for k in points[inside]] + [int((np.abs(draws) > edge).sum())]
    assert chisquare(seen, expected).pvalue > ALARM


def test_small_discrete_scale_is_exact_from_the_system():
    draws = SystemNoise().discrete_gaussian(0.5, (8000,))  # P(0) = 1 / (1 + 2 e^-2 + 2 e^-8 + ...)
    share = 1.0 / (1.0 + 2.0 * sum(np.exp(-2.0 * k * k) for k in range(1, 9)))
    assert abs((draws == 0).mean() - share) < 5 * np.sqrt(share * (1 - share) / 8000)  # 5 SE: 6e-7


def test_system_noise_does_not_repeat_and_seeded_noise_does():
    assert (SystemNoise().discrete_gaussian(1e6, (9,)) != SystemNoise().discrete_gaussian(1e6, (9,))).any()
    one, two = (SeededNoise(np.random.default_rng(1)).discrete_gaussian(1e6, (9,)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("noise", sources(), ids=lambda n: n.name)
@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_bad_scale_is_refused(noise, scale):
    with pytest.raises(ValueError, match="scale must be finite and positive"):
        noise.discrete_gaussian(scale, (2,))


@pytest.mark.parametrize("noise", sources(), ids=lambda n: n.name)
def test_shapes_empty_and_scalar(noise):
    assert noise.discrete_gaussian(5.0, (0,)).shape == (0,)
    assert noise.discrete_gaussian(5.0, ()).shape == ()


def test_system_noise_without_opendp_says_what_to_install(monkeypatch):
    monkeypatch.setattr("tailweave.protocols.privacy.noise.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs the package opendp: pip install opendp"):
        SystemNoise()
