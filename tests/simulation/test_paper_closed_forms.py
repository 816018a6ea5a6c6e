# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.simulation.paper.closed_forms import accumulate_ratio, decay_exponent, replace_ratio


def unbiased_ratio(exponent, generations):
    """Tr(S_t) / Tr(S_0) of accumulate + select, an unbiased verifier and n to infinity."""
    return np.concatenate([[1.0], np.cumprod(1.0 - exponent / np.arange(1, generations + 1))])


@pytest.mark.parametrize(
    ("dimensions", "alpha", "published"),
    # of arXiv 2606.13732, three decimals printed
    [(10, 0.05, 0.690), (10, 0.1, 0.623), (10, 0.25, 0.498), (2, 0.05, 0.975)],
)
def test_the_exponent_is_the_published_one(dimensions, alpha, published):
    assert decay_exponent(dimensions, alpha) == pytest.approx(published, abs=5.1e-4)


@pytest.mark.parametrize("alpha", [0.01, 0.3, 0.9])
def test_in_two_dimensions_the_exponent_is_elementary(alpha):
    # chi-squared of 2 and 4 degrees: exp(-q/2) = 1 - alpha, P = 1 - exp(-q/2) (1 + q/2)
    assert decay_exponent(2, alpha) == pytest.approx((alpha - 1) * np.log(1 - alpha) / alpha, rel=1e-10)


def test_the_exponent_is_the_variance_lost_by_truncation():
    rows = np.random.default_rng(0).standard_normal((200_000, 3))
    radii_sq = (rows**2).sum(axis=1)
    kept = radii_sq[radii_sq <= np.quantile(radii_sq, 0.2)]
    # kept / 3 has mean 1 - psi; 5.5 standard errors, alarm rate 4e-8; the quantile's error is smaller
    assert 1 - kept.mean() / 3 == pytest.approx(decay_exponent(3, 0.2), abs=2 * 5.5 * kept.std() / 3 / 200)


def test_keeping_all_loses_nothing():
    assert decay_exponent(7, 1.0) == pytest.approx(0.0, abs=1e-12)


def test_published_limits():
    # of arXiv 2606.13732, three or four decimals printed
    assert [replace_ratio(n, 300)[-1] for n in (100, 200, 500)] == pytest.approx(
        [0.049, 0.222, 0.548], abs=5e-4
    )
    assert [accumulate_ratio(n, 10**5)[-1] for n in (100, 200, 500)] == pytest.approx(
        [0.9836, 0.9918, 0.9967], abs=5.1e-5
    )
    root = np.sqrt(100)
    assert accumulate_ratio(100, 10**6)[-1] == pytest.approx(np.sin(np.pi / root) / (np.pi / root), abs=1e-7)


def test_the_unbiased_ratio_becomes_a_power_law():
    psi = decay_exponent(10, 0.05)
    ratio = unbiased_ratio(psi, 4000)
    assert ratio[:3] == pytest.approx([1, 1 - psi, (1 - psi) * (1 - psi / 2)])
    assert np.log(ratio[4000] / ratio[2000]) / np.log(2) == pytest.approx(-psi, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1])
def test_bad_alpha(alpha):
    with pytest.raises(ValueError, match=rf"alpha must be in \(0, 1\], got {alpha}"):
        decay_exponent(10, alpha)


def test_bad_dimensions():
    with pytest.raises(ValueError, match="dimensions must be positive, got 0"):
        decay_exponent(0, 0.5)
