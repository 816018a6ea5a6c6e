# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import (
    analytic_gaussian_z,
    epsilon_of,
    epsilon_of_rho,
    noise_multiplier,
    rho_of,
    whole_delta,
    whole_multiplier,
)

TABLE = [(0.5, 8.058), (1.0, 4.225), (2.0, 2.230), (4.0, 1.194), (8.0, 0.653)]


@pytest.mark.parametrize(("epsilon", "z"), TABLE)
def test_show_4_three_accountants_agree_to_three_digits(epsilon, z):
    assert noise_multiplier(epsilon, 1e-6) == pytest.approx(z, abs=6e-4)
    assert analytic_gaussian_z(epsilon, 1e-6) == pytest.approx(z, abs=6e-4)


@pytest.mark.parametrize(("epsilon", "z"), TABLE)
def test_delta_by_integration_of_the_densities(epsilon, z):
    z = noise_multiplier(
        epsilon, 1e-6
    )  # delta = integral of max(0, p - e^eps q), p = N(1, z^2), q = N(0, z^2)
    from_here = z * z * epsilon + 0.5  # where p = e^eps q
    delta, _ = quad(
        lambda x: norm.pdf(x, 1, z) - np.exp(epsilon) * norm.pdf(x, 0, z),
        from_here,
        from_here + 20 * z,
        epsabs=1e-14,
    )
    assert delta == pytest.approx(1e-6, rel=1e-3)
    assert delta <= 1e-6


@pytest.mark.parametrize(("epsilon", "delta"), [(0.01, 1e-6), (20.0, 1e-9), (1.0, 0.1), (0.3, 1e-12)])
def test_calibrated_noise_keeps_what_it_promises(epsilon, delta):
    z = noise_multiplier(epsilon, delta)
    assert epsilon_of(z, delta) <= epsilon
    assert epsilon_of(z * (1 - 1e-4), delta) > epsilon
    assert z == pytest.approx(analytic_gaussian_z(epsilon, delta), rel=1e-5)


@pytest.mark.parametrize("releases", [2, 11])
def test_composition_equals_self_composition_of_the_loss(releases):
    from dp_accounting.pld import privacy_loss_distribution as pld

    loss = pld.from_gaussian_mechanism(4.0, value_discretization_interval=1e-3).self_compose(releases)
    together = epsilon_of_rho(releases * rho_of(4.0), 1e-6)
    assert together == pytest.approx(loss.get_epsilon_for_delta(1e-6), rel=2e-3)


def test_eleven_versions_at_epsilon_two_fit_a_lifetime_of_eight():
    rho = rho_of(noise_multiplier(2.0, 1e-6))
    assert epsilon_of_rho(11 * rho, 1e-6) <= 8.0 < epsilon_of_rho(12 * rho, 1e-6)


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 50.0), st.floats(1.01, 3.0))
def test_more_noise_costs_less_and_zcdp_bounds_it(z, factor):
    assert epsilon_of(z * factor, 1e-5) < epsilon_of(z, 1e-5)
    rho = rho_of(z)
    assert epsilon_of(z, 1e-5) < rho + 2 * np.sqrt(rho * np.log(1e5))  # Bun & Steinke (2016), prop. 1.3


def test_nothing_spent_is_nothing():
    assert epsilon_of_rho(0.0, 1e-6) == 0.0


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_arguments_are_refused(bad):
    with pytest.raises(ValueError, match="epsilon must lie in"):
        noise_multiplier(bad, 1e-6)
    with pytest.raises(ValueError, match="z must lie in"):
        epsilon_of(bad, 1e-6)
    with pytest.raises(ValueError, match="z must lie in"):
        rho_of(bad)
    with pytest.raises(ValueError, match="delta must lie in"):
        epsilon_of(1.0, bad)
    with pytest.raises(ValueError, match="rho must lie in"):
        epsilon_of_rho(bad or -0.5, 1e-6)


def test_import_of_the_package_does_not_load_the_accountant_or_opendp():
    import subprocess
    import sys

    loaded = "[m for m in sys.modules if m in ('dp_accounting', 'opendp')]"
    code = f"import sys, tailweave.protocols.privacy.gate; print({loaded})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def slow_delta(epsilon, sigma, directions):
    """Delta of L discrete Gaussians that each move by 1, by convolving their masses: no closed form."""
    reach = int(np.ceil(14 * sigma))
    k = np.arange(-reach, reach + 1)
    one = np.exp(-0.5 * (k / sigma) ** 2)
    one /= one.sum()
    masses = one
    for _ in range(directions - 1):
        masses = np.convolve(masses, one)
    total = np.arange(-(len(masses) // 2), len(masses) // 2 + 1)
    loss = (2 * total + directions) / (2 * sigma**2)
    return float((masses * np.maximum(0.0, -np.expm1(epsilon - loss))).sum())


@pytest.mark.parametrize("directions", [1, 2, 5, 16])
@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-6), (0.5, 1e-3), (4.0, 1e-5)])
def test_whole_noise_keeps_its_delta_exactly(directions, epsilon, delta):
    z = noise_multiplier(epsilon, delta)
    sigma = z * np.sqrt(directions)
    if sigma < 2.0:
        pytest.skip("the mechanism refuses so little noise")
    found = whole_delta(epsilon, z, directions)
    assert found == pytest.approx(slow_delta(epsilon, sigma, directions), rel=1e-6)
    more = whole_multiplier(z, epsilon, delta, directions)
    assert slow_delta(epsilon, more * np.sqrt(directions), directions) <= delta * (1 + 1e-9)
    assert z <= more <= 1.02 * z
    if found > delta:  # no more than needed
        assert slow_delta(epsilon, more * (1 - 2e-5) * np.sqrt(directions), directions) > delta


def test_one_direction_overshot_its_delta_and_many_do_not():
    z = noise_multiplier(1.0, 1e-6)
    assert whole_delta(1.0, z, 1) == pytest.approx(1.02e-6, rel=5e-3)  # what the release without it had
    assert 1.0 < whole_multiplier(z, 1.0, 1e-6, 1) / z < 1.002
    assert whole_multiplier(z, 1.0, 1e-6, 512) == pytest.approx(z, rel=1e-6)
    assert whole_multiplier(1e4, 1e-3, 1e-6, 512) == 1e4  # so fine that nothing is summed
    with pytest.raises(ValueError, match="directions must be at least 1, got 0"):
        whole_delta(1.0, 4.0, 0)


def test_the_gate_asks_for_it_in_counts_alone():
    bounds = PrivacySpec(epsilon=1.0, delta=1e-6)
    z = noise_multiplier(1.0, 1e-6)
    counts = SlicedReference(kind="sliced", basis="histogram", directions=1)
    assert gate.multiplier(counts, bounds) == whole_multiplier(z, 1.0, 1e-6, 1) > z
    assert gate.multiplier(SlicedReference(kind="sliced", directions=1), bounds) == z
    assert gate.multiplier(QuantizedReference(kind="quantized"), bounds) == z
    np.testing.assert_allclose(gate.noise_variance(counts, bounds), gate.multiplier(counts, bounds) ** 2)
    with pytest.raises(ValueError, match="a noise multiplier needs epsilon, got null"):
        gate.multiplier(counts, PrivacySpec())
