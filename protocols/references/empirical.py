# SPDX-License-Identifier: Apache-2.0
"""A reference made of points: the silo's own rows, the truth, public samples, or pseudo-samples."""

from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, matrix, probabilities
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.base import ReferenceKind
from tailweave.protocols.kinds.references.plain import LocalReference, OracleReference, PublicReference
from tailweave.protocols.references.pairs import EuclideanPairs
from tailweave.protocols.references.points_residual import PointsResidual
from tailweave.protocols.references.processor import HERE, Processor
from tailweave.protocols.transport.projection import potential as transport_potential

_BLOCK = 2_000_000
"""Distances held at once while a potential is summed (16 MB)."""


@dataclass(frozen=True)
class Empirical:
    """Weighted points.

    Attributes:
        points: Shape (m, d), feature units.
        masses: Shape (m,), sum to 1.
    """

    points: Floats
    masses: Floats

    @classmethod
    def of(cls, points: Floats, masses: Floats | None = None) -> "Empirical":
        """Check points (m, d) and masses (m,); uniform masses when none are given.

        Raises:
            ValueError: If points are empty or not finite, or masses do not fit.
        """
        points = matrix(points, "reference points")
        masses = np.ones(len(points)) if masses is None else masses
        if masses.shape != (len(points),):
            raise ValueError(f"reference masses must have shape ({len(points)},), got {masses.shape}")
        return cls(points, probabilities(masses, "reference masses"))

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.points.shape[1])

    def potential(self, x: Floats) -> Floats:
        """Return h(x) = E|x - r| for x (n, d), by matrix products in float64 (error near 1e-8 of the spread).

        Returns:
            Shape (n,), feature units.

        Raises:
            ValueError: If x has another number of columns or a non-finite entry.
        """
        x = matrix(x, "candidates", columns=self.dimension)
        center = self.masses @ self.points
        x, points = x - center, self.points - center
        squares = np.einsum("ij,ij->i", points, points)
        step = max(1, _BLOCK // len(points))
        blocks = []
        for block in (x[i : i + step] for i in range(0, len(x), step)):
            gap_sq = block @ (-2.0 * points.T)  # (b, m)
            gap_sq += np.einsum("ij,ij->i", block, block)[:, None]
            gap_sq += squares
            blocks.append(np.sqrt(np.maximum(gap_sq, 0.0, out=gap_sq), out=gap_sq) @ self.masses)
        return np.concatenate(blocks)

    def pairs(self, x: Floats) -> EuclideanPairs:
        """Return exact distances between candidates x, shape (n, d)."""
        return EuclideanPairs.of(matrix(x, "candidates", columns=self.dimension))

    def residual(self, processor: Processor = HERE) -> PointsResidual:
        """Return a residual of no picks, by exact distances."""
        return PointsResidual(self.points, self.masses, processor)

    def transport_potential(self, x: Floats) -> Floats:
        """Return the dual potential of candidates (n, d) of equal mass in the W2^2 problem onto these points.

        Returns:
            f, shape (n,), squared feature units, up to a constant; W2^2 grows by f_i a unit of mass moved to
            candidate i.

        Raises:
            ValueError: If x has another number of columns or a non-finite entry.
            ArithmeticError: If the solver fails.
        """
        x = matrix(x, "candidates", columns=self.dimension)
        held = self.masses > 0.0
        return transport_potential(x, self.points[held], self.masses[held], entropic_reg=self.entropic_reg)

    @property
    def entropic_reg(self) -> float | None:
        """Strength of the entropy in transport potentials, in units of the cost; None for exact ones."""
        return None


@implements(LocalReference, OracleReference, PublicReference)
def of_rows(spec: ReferenceKind, rows: Floats, space: PublicSpace) -> Empirical:
    """Take the rows as they are, with equal masses."""
    return Empirical.of(rows)
