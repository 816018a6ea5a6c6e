# SPDX-License-Identifier: Apache-2.0
"""The cosine sketch with Gaussian noise: the default, least noise of all mechanisms."""

import numpy as np

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.privacy.mechanisms.grid import GRID, blocks, bounded, capped, noised, rounding
from tailweave.protocols.privacy.noise import Noise
from tailweave.protocols.references.cosine import basis
from tailweave.protocols.references.sliced import SlicedSummary

CAP = 0.65
"""Share of the longest possible feature vector that is kept; ordinary rows reach .57, rows at |x| = R .62."""
COUNT_WEIGHT = 0.3
"""Each row's own coordinate is 0.3 sqrt(L): the count is read from it."""


def cap(spec: SlicedReference) -> float:
    """Return 0.65 D, with D^2 = L (sum_j 1/j^2 + 0.09) the squared length of an absurd row's features."""
    return CAP * float(np.sqrt(spec.directions * (_weights_sq(spec) + COUNT_WEIGHT**2)))


def sensitivity(spec: SlicedReference) -> float:
    r"""Return the L2 sensitivity of the rounded sums.

    A row adds v = (cos(pi j u_l) / j)_{l,j} and 0.3 sqrt(L), shortened to norm C = 0.65 D and rounded to a
    grid of step g. Rounding moves each of LJ + 1 coordinates by at most g / 2, so one row, added or removed,
    moves the sums by at most C + g (sqrt(LJ + 1) / 2 + 1); the last 1 covers float error. The other rows'
    whole numbers stay as they are, as each row is projected and capped alike whatever stands beside it.

    Args:
        spec: Directions L and coefficients J.

    Returns:
        Dimensionless; for *any* row.
    """
    return cap(spec) + rounding(spec.directions * spec.coefficients + 1)


def noise_variance(spec: SlicedReference, z: float) -> Floats:
    """Return the noise variance of each coefficient of the sum, shape (J,), the same in all directions."""
    return np.full(spec.coefficients, (z * sensitivity(spec)) ** 2)


def privatise(
    rows: Floats, spec: SlicedReference, space: PublicSpace, z: float, *, noise: Noise
) -> SlicedSummary:
    """Sum the rows' capped features and add noise of z sensitivities.

    Args:
        rows: Shape (n, d), feature units.
        spec: Directions, coefficients and range; the cosine basis.
        space: Public space; fixes directions, centre and scale.
        z: Noise multiplier.
        noise: Source of the noise.

    Returns:
        Noisy sums, unbiased for rows that are not capped, and a noisy count, set to 1 where it fell below.

    Raises:
        ValueError: If rows are not finite or of another dimension, or the noise is too small for the grid.

    Privacy:
        One row added or removed; one Gaussian release of multiplier z.
    """
    rows = matrix(rows, "rows", columns=space.dimension)
    directions = space.directions(spec.directions)
    own = COUNT_WEIGHT * float(np.sqrt(spec.directions))
    width = spec.directions * spec.coefficients + 1
    sums = np.zeros(width)
    for block in blocks(rows, width):
        positions = space.project_alike(bounded(block, space), directions, spec.range)  # (b, L)
        features = np.full((len(block), width), own)
        features[:, :-1] = basis(positions, spec.coefficients).reshape(len(block), -1)
        sums += np.rint(capped(features, cap(spec)) / GRID).sum(axis=0)
    noisy = noised(sums, z * sensitivity(spec), noise)
    sketch = noisy[:-1].reshape(spec.directions, spec.coefficients)
    return SlicedSummary(sketch, max(1.0, float(noisy[-1]) / own))


def _weights_sq(spec: SlicedReference) -> float:
    return float((1.0 / np.arange(1, spec.coefficients + 1) ** 2).sum())


MECHANISM = Mechanism("cosine", "Gaussian noise on a sliced cosine sketch", privatise, noise_variance)
