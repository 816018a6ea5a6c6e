# SPDX-License-Identifier: Apache-2.0
"""A silo's part of a secure sum: its integer sketch with a share of the noise, ready to be masked."""

from collections.abc import Callable

import numpy as np

from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, Rows
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import rows_bucket
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import epsilon_of_rho, noise_multiplier, rho_of
from tailweave.protocols.privacy.noise import Noise
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.secure_sum.schema import WORD_BITS
from tailweave.protocols.secure_sum.sketches import (
    STEP,
    integer_sketch,
    largest_step,
    noise_share,
    sensitivity_steps,
)

_TAIL = 16.0
"""Standard deviations of a share that words leave room for; it is beyond with probability below 1e-50."""


def noisy_share(  # noqa: PLR0913 - a door out of the silo, as the gate: all that it depends on is named
    rows: Floats | Rows,
    spec: SlicedReference,
    features: FeatureMap,
    privacy: PrivacySpec,
    *,
    seed: int,
    silos: int,
    noise: Noise,
    charge: Callable[[gate.Cost], None],
) -> Ints:
    """Return the integer sketch of a silo's rows plus its share of the noise.

    In the order of ``gate.release``: enough rows, and not too many, before a value is read; finite values;
    the feature map, each row alike; clip, cap and round by public constants; sum; ``charge``, which writes
    the ledger or raises; noise.

    Args:
        rows: Data rows, shape (n, p).
        spec: Sketch, aggregated as a mixture.
        features: Public feature map; fixes centre and scale.
        privacy: Epsilon and delta of the *sum*, fewest rows, and K_h, the silos sure to be honest.
        seed: Root seed of the public directions.
        silos: K, how many are summed.
        noise: Source of the noise; seeded in simulation only.
        charge: Called exactly once, before noise is drawn.

    Returns:
        Whole numbers, shape (L J + 1,) in steps of 2^-8, or (L B,) in rows.

    Raises:
        ValueError: If privacy does not ask for a secure sum, rows are too few, not finite or of another
            dimension, or so many that their sum might not fit into words, or the share of noise is too small
            for the grid.

    Privacy:
        One row added or removed. The *sum* is (epsilon, delta)-private to whoever sees no more than it and
        knows the noise of all but K_h silos, this one among them: the K_h shares add up to z sensitivities.
        By itself the share is z / sqrt(K_h) only, and that is what remains against a server in league with
        all other silos; the mechanism's name in ``Cost`` says what epsilon that is.
    """
    if privacy.epsilon is None or privacy.honest_silos is None:
        raise ValueError("a secure sum needs epsilon and honest-silos, got null")
    gate.enough(len(rows), privacy)
    z = gate.multiplier(spec, privacy)
    share = noise_share(z * sensitivity_steps(spec), privacy.honest_silos)
    _fitting(len(rows), spec, share, silos)
    sums = integer_sketch(features.alike(rows), spec, features.space(seed))
    name = mechanism(spec, privacy.honest_silos, silos, alone=epsilon_alone(privacy))
    charge(gate.Cost(privacy.epsilon, privacy.delta, rho_of(z), name))
    return sums + noise.discrete_gaussian(share, sums.shape)


def _fitting(rows: int, spec: SlicedReference, share: float, silos: int) -> None:
    """Refuse a sum that might leave its words: by what the rows could add up to, not by what they do.

    A refusal must tell no more of the rows than ``hello`` did, so their number counts as the largest of its
    bucket there.
    """
    most = rows_bucket(5 * rows_bucket(rows) // 2) - 1  # 2.5 times a bucket's begin lies in the next one
    if (most * largest_step(spec) + _TAIL * share) * silos >= 2.0 ** (WORD_BITS - 1):
        raise Refusal(
            f"the silo has too many rows, or epsilon is too small, for words of {WORD_BITS} bits among "
            f"{silos} silos: ask for fewer directions, or basis histogram"
        )


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

    Returns:
        Shape (J,) or (B,), in the unit of ``pooled_summary``'s sums.

    Raises:
        ValueError: If privacy does not ask for a secure sum, or the share is too small for the grid.
    """
    if privacy.epsilon is None or privacy.honest_silos is None:
        raise ValueError("a secure sum needs epsilon and honest-silos, got null")
    z = gate.multiplier(spec, privacy)
    share = noise_share(z * sensitivity_steps(spec), privacy.honest_silos)
    step = STEP if spec.basis == "cosine" else 1.0
    return np.full(spec.shape[1], silos * (share * step) ** 2)
