# SPDX-License-Identifier: Apache-2.0
"""A silo's part of a secure sum: its integer sketch with a share of the noise, ready to be masked."""

from collections.abc import Callable

import numpy as np

from protocols.arrays import Floats, Ints, matrix
from protocols.config.privacy import PrivacySpec
from protocols.config.references import SlicedReference
from protocols.features import PublicSpace
from protocols.privacy import gate
from protocols.privacy.calibration import epsilon_of_rho, noise_multiplier, rho_of
from protocols.privacy.noise import Noise
from protocols.references.sliced import sketch_shape
from protocols.secure_sum.sketches import STEP, integer_sketch, noise_share, sensitivity_steps


def noisy_share(  # noqa: PLR0913 - a door out of the silo, as the gate: all that it depends on is named
    rows: Floats,
    spec: SlicedReference,
    space: PublicSpace,
    privacy: PrivacySpec,
    *,
    silos: int,
    noise: Noise,
    charge: Callable[[gate.Cost], None],
) -> Ints:
    """Return the integer sketch of a silo's rows plus its share of the noise.

    In the order of ``gate.release``: enough rows, before a value is read; finite values; clip, cap and round
    by public constants; sum; ``charge``, which writes the ledger or raises; noise.

    Args:
        rows: Features, shape (n, d).
        spec: Sketch, aggregated as a mixture.
        space: Public space; fixes directions, centre and scale.
        privacy: Epsilon and delta of the *sum*, fewest rows, and K_h, the silos sure to be honest.
        silos: K, how many are summed.
        noise: Source of the noise; seeded in simulation only.
        charge: Called exactly once, before noise is drawn.

    Returns:
        Whole numbers, shape (L J + 1,) in steps of 2^-8, or (L B,) in rows.

    Raises:
        ValueError: If privacy does not ask for a secure sum, rows are too few, not finite or of another
            dimension, or the share of noise is too small for the grid.

    Privacy:
        One row added or removed. The *sum* is (epsilon, delta)-private to whoever sees no more than it and
        knows the noise of all but K_h silos, this one among them: the K_h shares add up to z sensitivities.
        By itself the share is z / sqrt(K_h) only, and that is what remains against a server in league with
        all other silos; the mechanism's name in ``Cost`` says what epsilon that is.
    """
    if privacy.epsilon is None or privacy.honest_silos is None:
        raise ValueError("a secure sum needs epsilon and honest-silos, got null")
    gate.enough(len(rows), privacy)
    z = noise_multiplier(privacy.epsilon, privacy.delta)
    share = noise_share(z * sensitivity_steps(spec), privacy.honest_silos)
    sums = integer_sketch(matrix(rows, "rows", columns=space.dimension), spec, space)
    name = mechanism(spec, privacy.honest_silos, silos, alone=epsilon_alone(privacy))
    charge(gate.Cost(privacy.epsilon, privacy.delta, rho_of(z), name))
    return sums + noise.discrete_gaussian(share, sums.shape)


def epsilon_alone(privacy: PrivacySpec) -> float:
    """Return the epsilon of one silo's share against everybody else together: K_h times the rho of the sum.

    Raises:
        ValueError: If privacy does not ask for a secure sum.
    """
    if privacy.epsilon is None or privacy.honest_silos is None:
        raise ValueError("a secure sum needs epsilon and honest-silos, got null")
    rho = rho_of(noise_multiplier(privacy.epsilon, privacy.delta))
    return epsilon_of_rho(rho * privacy.honest_silos, privacy.delta)


def mechanism(spec: SlicedReference, honest: int, silos: int, *, alone: float) -> str:
    """Name the mechanism as the ledger keeps it: with the condition under which its epsilon holds."""
    return f"masked {spec.basis}: needs {honest} honest of {silos} silos, epsilon {alone:.4g} alone"


def noise_variance(spec: SlicedReference, privacy: PrivacySpec, silos: int) -> Floats:
    r"""Return the noise variance of each coefficient of the pooled sums, K / K_h times what was asked.

    .. math:: \nu^2 = K \sigma_k^2 = \frac{K}{K_h} (z \Delta)^2

    Args:
        spec: Sketch.
        privacy: Epsilon, delta and K_h.
        silos: K, how many were summed.

    Returns:
        Shape (J,) or (B,), in the unit of ``pooled_summary``'s sums.

    Raises:
        ValueError: If privacy does not ask for a secure sum, or the share is too small for the grid.
    """
    if privacy.epsilon is None or privacy.honest_silos is None:
        raise ValueError("a secure sum needs epsilon and honest-silos, got null")
    z = noise_multiplier(privacy.epsilon, privacy.delta)
    share = noise_share(z * sensitivity_steps(spec), privacy.honest_silos)
    step = STEP if spec.basis == "cosine" else 1.0
    return np.full(sketch_shape(spec)[1], silos * (share * step) ** 2)
