# SPDX-License-Identifier: Apache-2.0
"""Mean and covariance with Gaussian noise: the cheap baseline, and a plausibility check."""

from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.privacy.mechanisms.grid import capped, noised, radius, rounding, unit_ball
from tailweave.protocols.privacy.noise import Noise

COUNT_WEIGHT = 0.3
_STEP = 2.0**-14
"""Grid of the rows; their products then lie on a grid of 2^-28, exact in float64 up to 3e7 rows."""


@dataclass(frozen=True)
class Moments:
    """A silo's first two moments.

    Attributes:
        mean: Shape (d,), feature units.
        covariance: Shape (d, d), squared feature units, positive semidefinite.
        count: Number of rows behind them, at least 1.
    """

    mean: Floats
    covariance: Floats
    count: float


def sensitivity(dimension: int) -> float:
    r"""Return the L2 sensitivity of (sum y, svec(sum yy'), 0.3 n), y = clipped row / R.

    |y| <= 1 before rounding and <= r = 1 + g (sqrt(d) / 2 + 1) after it. svec weighs off-diagonal entries by
    sqrt(2), so that |svec(yy')| = |y|^2 <= r^2. Hence D = sqrt(r^2 + r^4 + 0.09), near 1.446.

    Args:
        dimension: d.

    Returns:
        Dimensionless; for *any* row.
    """
    longest = 1.0 + rounding(dimension, _STEP)
    return float(np.sqrt(longest**2 + longest**4 + COUNT_WEIGHT**2))


def privatise(rows: Floats, space: PublicSpace, z: float, *, noise: Noise) -> Moments:
    """Sum clipped rows and their outer products, and add noise of z sensitivities.

    Args:
        rows: Shape (n, d), feature units; n below 3e7.
        space: Public space; fixes centre, scale and, through d, the clip radius R = 1.5 sqrt(d).
        z: Noise multiplier.
        noise: Source of the noise.

    Returns:
        Moments. The mean is drawn back to the clip ball; the covariance is the nearest positive semidefinite
        matrix of the same trace, and zero where noise made the trace negative: both biased by that.

    Raises:
        ValueError: If rows are not finite or of another dimension, or the noise is too small for the grid.

    Privacy:
        One row added or removed; one Gaussian release of multiplier z.
    """
    rows = matrix(rows, "rows", columns=space.dimension)
    whole = np.rint(unit_ball(rows, space) / _STEP)  # (n, d)
    scale = z * sensitivity(space.dimension)
    tally = noised(np.array([len(rows) / _STEP]), scale / COUNT_WEIGHT, noise, step=_STEP)
    count = max(1.0, float(tally[0]))
    first = noised(whole.sum(axis=0), scale, noise, step=_STEP) / count  # (d,)
    second = _noised_products(whole.T @ whole, scale, noise) / count  # (d, d)
    mean = capped(first[None], 1.0)[0]
    unit = space.scale * radius(space.dimension)
    covariance = unit * unit * nearest_covariance(second - np.outer(mean, mean))
    return Moments(space.center + unit * mean, covariance, count)


def _noised_products(products: Floats, scale: float, noise: Noise) -> Floats:
    """Noise of ``scale`` on the diagonal and scale / sqrt(2) off it, symmetric: that is ``scale`` on svec."""
    above = np.triu_indices(len(products), 1)
    table = np.diag(0.5 * noised(np.diag(products), scale, noise, step=_STEP**2))
    table[above] = noised(products[above], scale / np.sqrt(2.0), noise, step=_STEP**2)
    return table + table.T


def nearest_covariance(symmetric: Floats) -> Floats:
    """Return the positive semidefinite matrix of the same trace that is nearest in Frobenius norm.

    Args:
        symmetric: Shape (d, d).

    Returns:
        Shape (d, d); zero if the trace is not positive.

    Source:
        Eigenvalues projected to the simplex of their sum: Duchi et al. (2008), figure 1.
    """
    values, vectors = np.linalg.eigh(symmetric)
    total = max(0.0, float(values.sum()))
    falling = values[::-1]
    shifts = (np.cumsum(falling) - total) / np.arange(1, len(values) + 1)
    shift = shifts[np.flatnonzero(falling >= shifts)[-1]]
    kept = np.maximum(values - shift, 0.0)
    nearest: Floats = (vectors * kept) @ vectors.T
    return nearest
