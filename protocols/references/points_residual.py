# SPDX-License-Identifier: Apache-2.0
r"""The residual of points: distances to all picks, as products of float32 in tiles that stay in the cache.

.. math:: \|x - y\|^2 = (x, \|x\|^2, 1) \cdot (-2 y, 1, \|y\|^2),

one product a tile, the root and the sum. Sums over tiles are float64. Picks are kept as they are, so a window
is compared with all picks before it: O(N n d) in all, and memory O(n d).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.references.pairs import Float32s
from tailweave.protocols.references.processor import HERE, Processor

Tiled = Any
"""An array (n, d + 2) at the processor: one side of the product above."""


class PointsResidual:
    """Of weighted points."""

    window_length: ClassVar[int] = 2048

    def __init__(self, points: Floats, masses: Floats, processor: Processor = HERE) -> None:
        """Begin with nothing picked.

        Args:
            points: Shape (M, d).
            masses: Shape (M,), sum to 1.
            processor: Where distances are computed.
        """
        self.center = masses @ points
        self.processor = processor
        self.points = _right(processor.send((points - self.center).astype(np.float32)), processor)
        self.masses = processor.send(masses.astype(np.float32))
        self.picks: list[Tiled] = []  # one a window, as many picks as it kept

    def window(self, x: Floats, instead_of: "_Taken | None" = None) -> "_PointsWindow":
        """As ``Residual``."""
        points = matrix(x, "candidates", columns=len(self.center))
        there = self.processor.send((points - self.center).astype(np.float32))
        left, right = _left(there, self.processor), _right(there, self.processor)
        if instead_of is None:
            taken = _Taken(len(self.picks), self._sums(left, self.points, self.masses))
            self.picks.append(right[:0])
        else:
            taken = instead_of
            self.picks[taken.number] = right[:0]
        costs = (sum(map(len, self.picks)) + 1) * taken.potential
        for picks in self.picks:
            costs -= self._sums(left, picks, None)
        return _PointsWindow(self, left, right, costs, taken)

    def _sums(self, left: Tiled, right: Tiled, masses: Any) -> Floats:  # noqa: ANN401 - an array there
        """Return the sum of distances, or the sum by masses, from each of left to all of right."""
        tile, found = self.processor.tile, np.zeros(len(left))
        for row in range(0, len(left), tile):
            rows = slice(row, row + tile)
            for column in range(0, len(right), tile):
                columns = slice(column, column + tile)
                gap = distances(left[rows], right[columns], self.processor)
                sums = gap.sum(1) if masses is None else gap @ masses[columns]
                found[rows] += self.processor.fetch(sums)
        return found


@dataclass(frozen=True)
class _Taken:
    """Which window it was, and h of its candidates, which no pick changes."""

    number: int
    potential: Floats


@dataclass(frozen=True)
class _PointsWindow:
    """Both sides of the product (w, d + 2), and C (w,)."""

    together: ClassVar[int] = 128
    residual: PointsResidual
    left: Tiled
    right: Tiled
    costs: Floats
    taken: _Taken

    def raises(self, picks: Ints) -> Float32s:
        processor, potential = self.residual.processor, self.taken.potential.astype(np.float32)
        rows = np.empty((len(picks), len(potential)), dtype=np.float32)
        for start in range(0, len(picks), processor.tile):
            part = slice(start, start + processor.tile)
            gap = processor.fetch(distances(self.left[picks[part]], self.right, processor))
            np.subtract(potential, gap, out=rows[part])
        return rows

    def take(self, picks: Ints) -> _Taken:
        self.residual.picks[self.taken.number] = self.right[picks]
        return self.taken


def distances(left: Tiled, right: Tiled, processor: Processor) -> Any:  # noqa: ANN401 - an array there
    """Return the distances between two sides of the product, shape (n, m).

    Error as of ``EuclideanPairs``; to itself a point has a distance near 0.
    """
    xp = processor.xp
    gap = left @ right.T
    return xp.sqrt(xp.clip(gap, 0.0, None, out=gap), out=gap)


def _left(x: Any, processor: Processor) -> Tiled:  # noqa: ANN401 - an array there
    squares = (x * x).sum(1)[:, None]
    return processor.xp.hstack([x, squares, processor.xp.ones_like(squares)])


def _right(y: Any, processor: Processor) -> Tiled:  # noqa: ANN401 - an array there
    squares = (y * y).sum(1)[:, None]
    return processor.xp.hstack([-2.0 * y, processor.xp.ones_like(squares), squares])
