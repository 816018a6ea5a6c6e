# SPDX-License-Identifier: Apache-2.0
"""Metrics of the generations of one arm on one silo; a generation has those that could be measured in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import family, in_order

PARTS = ("names", "generations", "metrics", "values")


@dataclass(frozen=True)
class Measured:
    """Rows of metrics, one a generation from 0 on, each by name."""

    rows: tuple[Mapping[str, float], ...] = ()

    def then(self, row: Mapping[str, float]) -> "Measured":
        """Return these and the next generation's."""
        return Measured((*self.rows, row))

    def names(self, start: int, stop: int, allowed: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the names of a span of generations, in the order of reports.

        Args:
            start: First generation.
            stop: Last one.
            allowed: The only names wanted (``mode_share`` is that of all classes); None for all.
        """
        found = dict.fromkeys(name for row in self.rows[start : stop + 1] for name in row)
        return tuple(name for name in in_order(found) if allowed is None or family(name) in allowed)

    def entries(self, start: int, stop: int, names: Sequence[str]) -> dict[str, Floats]:
        """Return a span of generations as three vectors of one length k.

        Args:
            start: First generation.
            stop: Last one.
            names: The metrics wanted.

        Returns:
            ``generations``, ``metrics`` (places in ``names``) and ``values``, by generation, then by name.
        """
        found = [
            (generation, place, self.rows[generation][name])
            for generation in range(start, stop + 1)
            for place, name in enumerate(names)
            if name in self.rows[generation]
        ]
        table = np.array(found, dtype=np.float64).reshape(-1, 3)
        return {part: table[:, column].copy() for column, part in enumerate(PARTS[1:])}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what ``from_arrays`` reads back."""
        last = len(self.rows) - 1
        names = self.names(0, last)
        return {"names": np.array(names, dtype=np.str_), **self.entries(0, last, names)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], generations: int) -> Self:
        """Rebuild the rows of ``generations`` generations; raises ``KeyError`` where a part is missing."""
        names = [str(name) for name in arrays["names"]]
        rows: list[dict[str, float]] = [{} for _ in range(generations)]
        columns = (arrays[part].tolist() for part in PARTS[1:])
        for generation, place, value in zip(*columns, strict=True):
            rows[int(generation)][names[int(place)]] = value
        return cls(tuple(rows))
