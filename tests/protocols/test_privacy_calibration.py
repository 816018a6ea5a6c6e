# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from protocols.privacy.calibration import (
    analytic_gaussian_z,
    epsilon_of,
    epsilon_of_rho,
    noise_multiplier,
    rho_of,
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
    assert epsilon_of(4.0, 1e-6, releases) == pytest.approx(loss.get_epsilon_for_delta(1e-6), rel=2e-3)
    assert epsilon_of_rho(releases * rho_of(4.0), 1e-6) == pytest.approx(epsilon_of(4.0, 1e-6, releases))


def test_eleven_versions_at_epsilon_two_fit_a_lifetime_of_eight():
    z = noise_multiplier(2.0, 1e-6)  # privacy-notes section 8
    assert epsilon_of(z, 1e-6, 11) <= 8.0 < epsilon_of(z, 1e-6, 12)


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
    with pytest.raises(ValueError, match="releases must be at least 1, got 0"):
        epsilon_of(1.0, 1e-6, 0)


def test_import_of_the_package_does_not_load_the_accountant_or_opendp():
    import subprocess
    import sys

    loaded = "[m for m in sys.modules if m in ('dp_accounting', 'opendp')]"
    code = f"import sys, protocols.privacy.gate; print({loaded})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
