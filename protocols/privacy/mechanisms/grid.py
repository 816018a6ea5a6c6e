# SPDX-License-Identifier: Apache-2.0
"""What the mechanisms share: rows bounded by public constants, sums of whole numbers, and whole noise.

Floating-point sums betray rows in their last bits, and noise on a grid hides nothing between the points of
the grid (Mironov 2012). So every row's features are rounded to a grid first; sums of whole numbers are exact
in float64 below 2^53 whatever their order, and the noise is an exact discrete Gaussian on the same grid.
What a row becomes must be its own alone: where its last bit hung on the rows beside it, one row more would
flip the rounding of many. So nothing here goes through a matrix product of BLAS (``row_products``).
"""

from collections.abc import Iterator

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.privacy.noise import Noise

GRID = 2.0**-20
"""Step of the grid on which features are summed."""
SMALLEST_SCALE = 4.0
"""From here on a sum of discrete Gaussians is one too (gap 5e-4 at 1, below 1e-60 at 4)."""
_ABSURD = 1e6
_BLOCK = 4_000_000


def radius(dimension: int) -> float:
    """Return R = 1.5 sqrt(d), in public scale units; a typical row has norm sqrt(d)."""
    return 1.5 * float(np.sqrt(dimension))


def bounded(rows: Floats, space: PublicSpace) -> Floats:
    """Clip coordinates (n, d) to 1e6 public units about the centre, so that no finite row can overflow."""
    reach = _ABSURD * space.scale
    inside: Floats = np.clip(rows, space.center - reach, space.center + reach)
    return inside


def unit_ball(rows: Floats, space: PublicSpace) -> Floats:
    """Return (x - center) / (scale R), drawn back to the unit ball: shape (n, d), norms at most 1."""
    points = (bounded(rows, space) - space.center) / (space.scale * radius(space.dimension))
    return capped(points, 1.0)


def capped(features: Floats, cap: float) -> Floats:
    """Shorten every row of features (n, m) that is longer than ``cap``."""
    norms = np.linalg.norm(np.ascontiguousarray(features), axis=1, keepdims=True)  # in one order, always
    shorter: Floats = features * (cap / np.maximum(norms, cap))
    return shorter


def rounding(columns: int, step: float = GRID) -> float:
    """Return how much rounding can lengthen a row: half a step a column, and a step for float error."""
    return step * (0.5 * float(np.sqrt(columns)) + 1.0)


def blocks(rows: Floats, width: int) -> Iterator[Floats]:
    """Cut rows (n, d) into blocks whose ``width`` features a row fit in 32 MB."""
    step = max(1, _BLOCK // width)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def noised(sums: Floats, scale: float, noise: Noise, step: float = GRID) -> Floats:
    """Add discrete Gaussian noise to exact sums.

    Args:
        sums: Whole numbers, any shape, in steps of the grid.
        scale: Standard deviation wanted, in the unit of the features.
        noise: Where it comes from.
        step: Step of the grid, in the unit of the features.

    Returns:
        Noisy sums, in the unit of the features.

    Raises:
        ValueError: If the noise is so small that the grid shows, or the sums are too large to be exact.
    """
    if scale / step < SMALLEST_SCALE:
        raise ValueError(
            f"noise must have at least {SMALLEST_SCALE} steps of the grid, got {scale / step}; lower epsilon"
        )
    largest = float(np.abs(sums).max(initial=0.0))
    if largest >= 2.0**53:
        raise ValueError(f"sums must be below 2^53 steps of the grid to be exact, got {largest}")
    return (sums + noise.discrete_gaussian(scale / step, sums.shape)) * step
