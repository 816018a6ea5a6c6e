# SPDX-License-Identifier: Apache-2.0
"""DP-Lloyd: k-means whose every look at the rows is noised. Second choice, for many rows."""

from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.privacy.mechanisms.grid import GRID, capped, noised, radius, rounding, unit_ball
from tailweave.protocols.privacy.noise import Noise
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.row_products import row_products
from tailweave.protocols.streams import stream

FIRST_SHARE = 0.2
"""Share of rho for mean and trace; the iterations and the final release divide the rest equally."""
ITERATIONS = 4
WEIGHT = 0.3
"""Weight of the count and of |y|^2 beside y itself, |y| <= 1."""
_FEWEST = 20.0
_LEAST_VARIANCE = 1e-9


@dataclass(frozen=True)
class _Clusters:
    """Noisy clusters in the unit ball: counts (k,), means (k, d), variance per coordinate (k,)."""

    counts: Floats
    means: Floats
    variances: Floats


def sensitivity(dimension: int) -> float:
    r"""Return the L2 sensitivity of one look: (count, sum y, sum |y|^2) of every cluster, weights .3, 1, .3.

    A row is in one cluster and adds (0.3, y, 0.3 |y|^2) to it, |y| <= 1, so it moves the look by at most
    sqrt(0.09 + 1 + 0.09), and by the rounding of d + 2 coordinates more. No other row changes its cluster.

    Args:
        dimension: d.

    Returns:
        Dimensionless; for *any* row and any centres.
    """
    return float(np.sqrt(1.0 + 2.0 * WEIGHT**2)) + rounding(dimension + 2)


def multipliers(z: float) -> tuple[float, ...]:
    """Return the z of each look; 1/z^2 adds, so sum 1/z_i^2 = 1/z^2: the first gets 20 %, five get 16 %."""
    rest = (1.0 - FIRST_SHARE) / (ITERATIONS + 1)
    shares = (FIRST_SHARE, *(rest,) * (ITERATIONS + 1))
    return tuple(z / float(np.sqrt(share)) for share in shares)


def cluster_count(rows: float, z: float) -> int:
    """Return k = clip(n eps / 1000, 4, 32), with eps = 4.4 / z (within 20 % from .5 to 8 at delta = 1e-6).

    Args:
        rows: The *noisy* number of rows; the true one must not choose k.
        z: Noise multiplier of the whole release.

    Returns:
        Clusters to ask for.
    """
    return int(np.clip(rows * 4.4 / (1000.0 * z), 4, 32))


def privatise(
    rows: Floats, spec: QuantizedReference, space: PublicSpace, z: float, *, noise: Noise
) -> QuantizedSummary:
    """Run Lloyd's iteration on noisy counts and sums.

    The first look gives mean, trace and count; initial centres are public normal draws around them. A centre
    whose noisy count is below max(20, 3 standard deviations) stays where it is, and is dropped at the end.
    If all are dropped, one cluster with the first look's mean, variance and count is released.

    Args:
        rows: Shape (n, d), feature units.
        spec: Most clusters to release.
        space: Public space; fixes centre, scale and, through d, the clip radius R = 1.5 sqrt(d).
        z: Noise multiplier of all looks together.
        noise: Source of the noise.

    Returns:
        A summary of at most min(k, ``spec.clusters``) clusters, each with one variance for all coordinates.

    Raises:
        ValueError: If rows are not finite or of another dimension, or the noise is too small for the grid.

    Privacy:
        One row added or removed; six Gaussian releases that compose to one of multiplier z.

    Source:
        DP-Lloyd: Blum et al. (2005); fixed iterations and shares: Su et al. (2016), section 3.
    """
    points = unit_ball(matrix(rows, "rows", columns=space.dimension), space)
    first, *later = multipliers(z)
    whole = look(points, np.zeros((1, space.dimension)), first, noise=noise)
    k = min(spec.clusters, cluster_count(float(whole.counts[0]), z))
    draws = stream(space.seed, "dp-lloyd", "centres").standard_normal((k, space.dimension))
    centres = capped(whole.means + np.sqrt(whole.variances[0]) * draws, 1.0)
    clusters, kept = whole, np.ones(1, dtype=bool)
    for multiplier in later:
        clusters = look(points, centres, multiplier, noise=noise)
        kept = clusters.counts >= fewest(space.dimension, multiplier)
        centres = np.where(kept[:, None], clusters.means, centres)
    if not kept.any():
        clusters, kept = whole, np.ones(1, dtype=bool)
    unit = space.scale * radius(space.dimension)
    return QuantizedSummary(
        space.center + unit * clusters.means[kept],
        clusters.counts[kept],
        np.repeat(unit * unit * clusters.variances[kept, None], space.dimension, axis=1),
    )


def fewest(dimension: int, z: float) -> float:
    """Return the smallest noisy count that is believed: max(20, 3 standard deviations of it)."""
    return max(_FEWEST, 3.0 * z * sensitivity(dimension) / WEIGHT)


def table(points: Floats, centres: Floats) -> Floats:
    """Sum the features of the rows nearest to each centre, in steps of the grid.

    Args:
        points: Rows in the unit ball, shape (n, d).
        centres: Shape (k, d).

    Returns:
        Whole numbers, shape (k, d + 2): 0.3 count, sum y, 0.3 sum |y|^2, each over the grid step.
    """
    squares = np.square(points).sum(axis=1)
    features = np.column_stack([np.full(len(points), WEIGHT), points, WEIGHT * squares])
    sums = np.zeros((len(centres), features.shape[1]))
    np.add.at(sums, _nearest(points, centres), np.rint(features / GRID))
    return sums


def look(points: Floats, centres: Floats, z: float, *, noise: Noise) -> _Clusters:
    """Release counts, means and variances of the clusters around ``centres``, noised by z sensitivities."""
    dimension = points.shape[1]
    noisy = noised(table(points, centres), z * sensitivity(dimension), noise)  # (k, d + 2)
    counts = np.maximum(noisy[:, 0] / WEIGHT, 1.0)
    means = capped(noisy[:, 1:-1] / counts[:, None], 1.0)
    spread = noisy[:, -1] / WEIGHT / counts - np.einsum("ij,ij->i", means, means)
    return _Clusters(counts, means, np.clip(spread, _LEAST_VARIANCE, 1.0) / dimension)


def _nearest(points: Floats, centres: Floats) -> Ints:
    """Return each point's centre, found alike whatever points stand beside it."""
    products = row_products(points, centres.T)  # (n, k)
    gaps = np.square(centres).sum(axis=1) - 2.0 * products  # |x|^2 left out
    nearest: Ints = gaps.argmin(axis=1)
    return nearest


MECHANISM = Mechanism("lloyd", "DP-Lloyd: Gaussian noise in every k-means step", privatise)
