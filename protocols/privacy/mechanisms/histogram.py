# SPDX-License-Identifier: Apache-2.0
"""The sliced histogram with integer noise: whole numbers, as secure aggregation wants them."""

import numpy as np

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import whole_multiplier
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.privacy.mechanisms.grid import blocks, bounded, noised
from tailweave.protocols.privacy.noise import Noise
from tailweave.protocols.references.histogram import counts
from tailweave.protocols.references.sliced import SlicedSummary


def sensitivity(spec: SlicedReference) -> float:
    """Return sqrt(L), the L2 sensitivity of the bin counts.

    A row adds 1 to exactly one bin in each of L directions; rows out of range fall into the edge bins. That
    is so for *any* row, with no clipping, as long as each row's bins are found alike whatever stands beside
    it. Whole-numbered noise makes the privacy loss move in steps of 1 / (z^2 L); the z asked for must hold
    delta in spite of them (``calibration.whole_multiplier``).
    """
    return float(np.sqrt(spec.directions))


def multiplier(z: float, spec: SlicedReference, privacy: PrivacySpec) -> float:
    """Return z, or as little more as whole-numbered noise needs; raises ``ValueError`` without an epsilon."""
    if privacy.epsilon is None:
        raise ValueError("noise on histograms needs an epsilon")
    return whole_multiplier(z, privacy.epsilon, privacy.delta, spec.directions)


def noise_variance(spec: SlicedReference, z: float) -> Floats:
    """Return the noise variance of each bin's count, shape (B,), the same in all directions."""
    return np.full(spec.bins, (z * sensitivity(spec)) ** 2)


def privatise(
    rows: Floats, spec: SlicedReference, space: PublicSpace, z: float, *, noise: Noise
) -> SlicedSummary:
    """Count rows (n, d) in bins and add whole-numbered noise of standard deviation z sqrt(L).

    Returns:
        Noisy counts, unbiased, whole and sometimes negative; their mean total over directions as the count,
        set to 1 where it fell below.

    Raises:
        ValueError: If rows are not finite or of another dimension, or z sqrt(L) is below 4.

    Privacy:
        One row added or removed; one Gaussian release of multiplier z.
    """
    rows = matrix(rows, "rows", columns=space.dimension)
    directions = space.directions(spec.directions)
    table = np.zeros((spec.directions, spec.bins))
    for block in blocks(rows, spec.directions):
        table += counts(space.project_alike(bounded(block, space), directions, spec.range), spec.bins)
    noisy = noised(table, z * sensitivity(spec), noise, step=1.0)
    return SlicedSummary(noisy, max(1.0, float(noisy.sum()) / spec.directions))


MECHANISM = Mechanism(
    "histogram", "Gaussian noise on sliced histograms", privatise, noise_variance, multiplier
)
