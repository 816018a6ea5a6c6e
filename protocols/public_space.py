# SPDX-License-Identifier: Apache-2.0
"""The public space that the feature map leads into: what all silos share to compare samples in it."""

from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.row_products import row_products
from tailweave.protocols.streams import stream


@dataclass(frozen=True)
class PublicSpace:
    """A feature space with the public constants that all silos share; nothing here depends on private rows.

    Attributes:
        center: Mean of public samples, shape (d,), feature units.
        scale: Root mean square of public samples about ``center``, per dimension, feature units, positive.
        seed: Root seed of the directions.
        marked: What stands in the column of a sample's class, feature units, in each of the last columns; one
            column a class, and none where features are of the inputs alone.
        levels: Feature columns that are each one level of a category, or say that a cell is missing.
    """

    center: Floats
    scale: float
    seed: int
    marked: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.center.size)

    def directions(self, count: int) -> Floats:
        """Return public unit vectors, uniform on the sphere; the last are the axes of the classes' columns.

        On the axis of a class a sketch holds how often the class is (``class_shares``), without a release of
        its own. Before them stand the axes of a table's levels, where these are at most half of the others: a
        rare level, of which other directions see a trace, is seen whole on its own. A row is clipped on an
        axis as on any direction, so the sensitivity of a sketch is what it was.

        Returns:
            Unit vectors, shape (L, d); both ends of the wire derive the same ones from ``seed``.

        Raises:
            ValueError: If there are not more of them than classes.
        """
        if count <= len(self.marked):
            raise ValueError(f"directions must be more than the {len(self.marked)} classes, got {count}")
        draws = stream(self.seed, "directions", count, self.dimension).standard_normal(
            (count, self.dimension)
        )
        unit: Floats = draws / np.linalg.norm(draws, axis=1, keepdims=True)
        classes = len(self.marked)
        if classes:
            unit[-classes:] = np.eye(self.dimension)[-classes:]
        if self.levels_fit(count):
            first = count - classes - len(self.levels)
            unit[first : count - classes] = 0.0
            unit[np.arange(first, count - classes), list(self.levels)] = 1.0
        return unit

    def levels_fit(self, count: int) -> bool:
        """Tell whether the axes of levels are among so many directions: at most half of the classless."""
        return 2 * len(self.levels) <= count - len(self.marked)

    def project(self, points: Floats, directions: Floats, half_width: float) -> Floats:
        """Project points and scale the interval [-half_width, half_width] of public units to [0, 1].

        Args:
            points: Shape (n, d), feature units.
            directions: Unit vectors, shape (L, d).
            half_width: In units of ``scale``.

        Returns:
            Positions clipped to [0, 1], shape (n, L); 1 corresponds to 2 * half_width * scale.
        """
        return self._positions((points - self.center) @ directions.T, half_width)

    def project_alike(self, points: Floats, directions: Floats, half_width: float) -> Floats:
        """Project each point alike whatever stands beside it: ``project`` for private releases.

        As ``project``; the same bits for the same point on every machine.
        """
        return self._positions(row_products(points - self.center, directions.T), half_width)

    def _positions(self, spread: Floats, half_width: float) -> Floats:
        unit: Floats = np.clip((spread / self.scale + half_width) / (2.0 * half_width), 0.0, 1.0)
        return unit
