# SPDX-License-Identifier: Apache-2.0
"""Read one row out of its own sketch: invert the basis on every direction, then solve for the row."""

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import cosine

_GRID = 2048
_REFINEMENTS = 4
_SATURATED = 1e-3
"""A position nearer than this to 0 or 1 may have been clipped, so it says nothing exact about the row."""


def row_of_sketch(sums: Floats, spec: SlicedReference, space: PublicSpace) -> Floats:
    """Return the row whose sketch is nearest to ``sums``, the sketch of a single row, perhaps noisy.

    Args:
        sums: Shape (L, J) or (L, B), as ``sliced.summarise`` gives for one row.
        spec: Basis, directions and range.
        space: Public space; fixes directions, centre and scale.

    Returns:
        Shape (1, d), feature units: exact for the cosine basis if at least d directions are not clipped,
        within half a bin a direction for the histogram basis.

    Source:
        Derived here: theta_l.y from every direction, least squares for y.
    """
    positions = _cosine_positions(sums) if spec.basis == "cosine" else _histogram_positions(sums)
    directions = space.directions(spec.directions)
    inside = (positions > _SATURATED) & (positions < 1.0 - _SATURATED)
    if inside.sum() < space.dimension:  # most were clipped: their edges are still the best that is known
        inside[:] = True
    spread = (2.0 * positions[inside] - 1.0) * spec.range * space.scale
    offset = np.asarray(np.linalg.lstsq(directions[inside], spread, rcond=None)[0], dtype=np.float64)
    return (space.center + offset)[None, :]


def _cosine_positions(sums: Floats) -> Floats:
    """Fit u to cos(pi j u)/j, j = 1..J, by a grid and Gauss-Newton steps from its best point."""
    coefficients = sums.shape[1]
    grid = (np.arange(_GRID) + 0.5) / _GRID
    table = cosine.basis(grid[:, None], coefficients)[:, 0, :]  # (grid, J)
    gap_sq = (table**2).sum(axis=1) - 2.0 * sums @ table.T  # (L, grid), up to a constant
    u: Floats = grid[gap_sq.argmin(axis=1)]
    j = np.arange(1, coefficients + 1)
    for _ in range(_REFINEMENTS):
        slope = -np.pi * np.sin(np.pi * j * u[:, None])  # (L, J)
        residual = cosine.basis(u[:, None], coefficients)[:, 0, :] - sums
        step = (residual * slope).sum(axis=1) / np.maximum((slope**2).sum(axis=1), 1e-12)
        step = np.minimum(np.maximum(step, -1.0 / _GRID), 1.0 / _GRID)
        u = np.minimum(np.maximum(u - step, 0.0), 1.0)
    return u


def _histogram_positions(sums: Floats) -> Floats:
    bins = sums.shape[1]
    middle: Floats = (sums.argmax(axis=1) + 0.5) / bins
    edge = (sums.argmax(axis=1) == 0) | (sums.argmax(axis=1) == bins - 1)
    return np.where(edge, np.round(middle), middle)  # edge bins also hold what was clipped
