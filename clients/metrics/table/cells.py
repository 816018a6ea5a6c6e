# SPDX-License-Identifier: Apache-2.0
"""Rows of a table by cells: which level each has in each column, or in which tenth of the truth it lies."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tailweave.clients.sorts_table import Bools, Table
from tailweave.protocols.arrays import Floats, Ints

MOST_COLUMNS = 30
"""Columns, the first ones that are declared, of which pairs are looked at."""
TENTHS = np.linspace(0.1, 0.9, 9)


@dataclass(frozen=True, eq=False)
class Cut:
    """How a column is cut into cells; a missing one is the last.

    Attributes:
        name: The column.
        levels: Its levels, where it has some.
        edges: Else the values that separate its cells, ascending, shape (k,).
    """

    name: str
    levels: tuple[str, ...]
    edges: Floats

    @property
    def count(self) -> int:
        """How many cells there are, that of what is missing included."""
        return (len(self.levels) or len(self.edges) + 1) + 1

    def cells(self, values: Floats, lacks: Bools) -> Ints:
        """Return the cell of each row, shape (n,)."""
        inner = values if self.levels else np.searchsorted(self.edges, values, side="right")
        return np.where(lacks, self.count - 1, inner).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table, column by column.

    Attributes:
        parts: For each column its numbers (n,) and which are missing (n,), as ``Table.parted`` gives them.
        cuts: How each is cut.
    """

    parts: list[tuple[Floats, Bools]]
    cuts: tuple[Cut, ...]

    @cached_property
    def cells(self) -> list[Ints]:
        """The cell of each row in each column, each (n,)."""
        return [cut.cells(*part) for cut, part in zip(self.cuts, self.parts, strict=True)]


def cuts_of(sort: Table, values: Floats) -> tuple[Cut, ...]:
    """Return how columns are cut: those of numbers at the tenths of true rows, where these differ.

    Args:
        sort: What a row is.
        values: True rows, encoded, shape (n, p).
    """
    found = []
    for (name, spec), (numbers, lacks) in zip(sort.declared, sort.parted(values), strict=True):
        there = numbers[~lacks]
        cut_here = not spec.all_levels and len(there) > 0
        edges = np.unique(np.quantile(there, TENTHS, method="lower")) if cut_here else np.empty(0)
        found.append(Cut(name, spec.all_levels, edges))
    return tuple(found)
