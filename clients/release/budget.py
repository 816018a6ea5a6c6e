# SPDX-License-Identifier: Apache-2.0
"""Whether the next release may still be paid for."""

import math
from collections.abc import Callable

from tailweave.clients.release.policy import Policy
from tailweave.clients.release.request import Request
from tailweave.protocols.refusals import Refusal

EpsilonOfRho = Callable[[float, float], float]
"""(rho, delta) -> epsilon; ``protocols.privacy.calibration.epsilon_of_rho``."""


class BudgetError(Refusal):
    """A release that would pass the silo's cap; nothing was drawn or charged for it."""


def check_lifetime(policy: Policy, spent: float, rho: float, epsilon_of_rho: EpsilonOfRho) -> None:
    """Refuse a release after which the lifetime's epsilon would pass the cap.

    Gaussian releases of rho_1, rho_2, ... are together one of their sum, even when each is asked for in view
    of the answers before; so the cap may be kept by adding.

    ``spent`` and ``rho`` are infinite where there was, or will be, no noise.

    Raises:
        BudgetError: If the cap would be passed.

    Source:
        Smith & Thakurta (2022), "Fully adaptive composition for Gaussian differential privacy", theorem 3.
    """
    if policy.lifetime_epsilon is None:
        return
    total = spent + rho
    epsilon = epsilon_of_rho(total, policy.delta) if math.isfinite(total) else math.inf
    if not epsilon <= policy.lifetime_epsilon:
        raise BudgetError(
            f"over the silo's budget: the release would bring its lifetime's epsilon to {epsilon:.4g}, "
            f"lifetime-epsilon is {policy.lifetime_epsilon:g} at delta {policy.delta:g}"
        )


def check_version(policy: Policy, charges: int) -> None:
    """Refuse a further release of a data version; one that was interrupted after its charge counts.

    Raises:
        BudgetError: If no more is allowed.
    """
    if charges >= policy.releases_per_data_version:
        raise BudgetError(
            f"over the silo's budget: {charges} releases of these data were charged, "
            f"releases-per-data-version is {policy.releases_per_data_version}"
        )


def due(policy: Policy, request: Request, rho: float, epsilon_of_rho: EpsilonOfRho) -> tuple[float, float]:
    """Return the epsilon and rho to charge a silo for a noised release: as promised, or more among strangers.

    A share of a secure sum keeps the promised epsilon together with ``honest-silos`` shares, this one among
    them. Without ``trusted-identities`` the server may have invented all the others, and then the share
    stands *alone*: its rho is ``honest-silos`` times that of the sum.

    Raises:
        ValueError: If no epsilon is asked.
    """
    asked = request.privacy
    if asked.epsilon is None:
        raise ValueError("a release without noise has no price, got epsilon null")
    if asked.honest_silos is None or policy.trusted_identities is not None:
        return asked.epsilon, rho
    return epsilon_of_rho(asked.honest_silos * rho, asked.delta), asked.honest_silos * rho
