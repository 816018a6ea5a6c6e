# SPDX-License-Identifier: Apache-2.0
r"""How much noise buys which epsilon.

One number describes a Gaussian release: z = sigma / (L2 sensitivity). A release of z is 1/(2 z^2)-zCDP and
(1/z)-GDP, and releases compose by adding 1/z^2. Unit: one row, added or removed.
"""

import math
from functools import lru_cache

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

_STEP = 1e-3
"""Discretisation of the privacy loss, in its standard deviations: pessimistic, by 1e-5 of delta at most."""
_TOLERANCE = 1e-6
"""Relative error of a calibrated z, always upwards."""


@lru_cache(maxsize=1024)
def epsilon_of(z: float, delta: float, releases: int = 1) -> float:
    """Return the epsilon of Gaussian releases, from the privacy loss distribution.

    Args:
        z: Noise standard deviation over L2 sensitivity, positive.
        delta: In (0, 1).
        releases: How many releases of this z; k of them are one release of z / sqrt(k), exactly.

    Returns:
        Epsilon, an upper bound within 1e-5 of itself.

    Raises:
        ValueError: If an argument is out of range.

    Source:
        Doroshenko et al. (2022), "Connect the dots", as in dp-accounting; composition: Dong et al. (2022),
        corollary 3.3.
    """
    _check("z", z, math.inf)
    _check("delta", delta, 1.0)
    if releases < 1:
        raise ValueError(f"releases must be at least 1, got {releases}")
    from dp_accounting.pld import privacy_loss_distribution as pld

    whole = z / math.sqrt(releases)
    loss = pld.from_gaussian_mechanism(whole, value_discretization_interval=_STEP / whole)
    return float(loss.get_epsilon_for_delta(delta))


@lru_cache(maxsize=256)
def noise_multiplier(epsilon: float, delta: float) -> float:
    """Return the smallest z whose release is (epsilon, delta)-private, by PLD.

    The closed form of ``analytic_gaussian_z`` brackets the search by 1 %: were the two ever further apart,
    one of them would be wrong, and the search refuses.

    Args:
        epsilon: Positive.
        delta: In (0, 1).

    Returns:
        z, at most 2e-6 of itself too large.

    Raises:
        ValueError: If an argument is out of range or the two accountants disagree.
    """
    guess = analytic_gaussian_z(epsilon, delta)
    tolerance = _TOLERANCE * guess
    root = brentq(lambda z: epsilon_of(z, delta) - epsilon, 0.99 * guess, 1.01 * guess, xtol=tolerance)
    return float(root) + tolerance


def analytic_gaussian_z(epsilon: float, delta: float) -> float:
    r"""Return the same z from the closed form of the Gaussian mechanism.

    .. math:: \delta = \Phi(\tfrac{1}{2z} - \epsilon z) - e^\epsilon\, \Phi(-\tfrac{1}{2z} - \epsilon z)

    Args:
        epsilon: Positive.
        delta: In (0, 1).

    Returns:
        z, by root finding on log z in [1e-4, 1e12].

    Raises:
        ValueError: If an argument is out of range.

    Source:
        Balle & Wang (2018), theorem 8.
    """
    _check("epsilon", epsilon, math.inf)
    _check("delta", delta, 1.0)

    def excess(log_z: float) -> float:
        z = math.exp(log_z)
        tail = math.exp(epsilon + float(log_ndtr(-0.5 / z - epsilon * z)))
        return float(ndtr(0.5 / z - epsilon * z)) - tail - delta

    return math.exp(float(brentq(excess, math.log(1e-4), math.log(1e12), xtol=1e-13)))


def rho_of(z: float) -> float:
    """Return rho = 1 / (2 z^2), the zero-concentrated cost of a release; costs add.

    Raises:
        ValueError: If z is not finite and positive.

    Source:
        Bun & Steinke (2016), proposition 1.6.
    """
    _check("z", z, math.inf)
    return 0.5 / (z * z)


def epsilon_of_rho(rho: float, delta: float) -> float:
    """Return the epsilon of Gaussian releases whose rho sum to ``rho``; all of them are one of that rho.

    Args:
        rho: Sum over releases, not negative.
        delta: In (0, 1).

    Returns:
        Epsilon by PLD; 0 when nothing was spent.

    Raises:
        ValueError: If an argument is out of range.
    """
    if rho == 0.0:
        return 0.0
    _check("rho", rho, math.inf)
    return epsilon_of(math.sqrt(0.5 / rho), delta)


def _check(name: str, value: float, below: float) -> None:
    if not 0.0 < value < below:
        raise ValueError(f"{name} must lie in (0, {below}), got {value}")
