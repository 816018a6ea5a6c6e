# SPDX-License-Identifier: Apache-2.0
"""Rare levels of columns, and rare pairs of them: which there are in the truth, and what is left of them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from tailweave.clients.metrics.table.cells import MOST_COLUMNS, Cut, Rows
from tailweave.clients.sorts_table import Bools
from tailweave.protocols.arrays import Floats, Ints

RARE = 0.05
"""A level, or a pair of them, is rare below this share of the true rows."""
LEAST_ROWS = 10
"""True rows that it takes to measure a share: with fewer, as many draws miss all once in 20,000 or more."""
LOST = 0.1
"""What has less than this part of its true share is lost."""
MOST_LEVELS, MOST_PAIRS = 30, 20
_LONGEST = 44
"""Of a column's or a level's name in that of a metric."""


@dataclass(frozen=True, eq=False)
class Rare:
    """Rare things of the truth, the rarest first.

    Attributes:
        names: ``column=level``, or two of them with ``&`` between.
        places: For each the columns and cells that make it.
        shares: Of each among the true rows, shape (k,), positive.
    """

    names: tuple[str, ...]
    places: tuple[tuple[tuple[int, int], ...], ...]
    shares: Floats

    def found(self, rows: Rows) -> Floats:
        """Return the share of each among rows, shape (k,)."""
        return np.array([_have(rows.cells, place).mean() for place in self.places])


def rare_levels(rows: Rows) -> tuple[Rare, int]:
    """Return the rare levels of true rows, at most 30, and how many have too few rows to be measured.

    Args:
        rows: All true rows that there are.
    """
    counted, few = [], 0
    for column, (cut, cells) in enumerate(zip(rows.cuts, rows.cells, strict=True)):
        counts = np.bincount(cells, minlength=cut.count)[: len(cut.levels)]
        few += int(((counts > 0) & (counts < LEAST_ROWS)).sum())
        counted += [(int(count), ((column, level),)) for level, count in enumerate(counts)]
    return _rarest(counted, rows, MOST_LEVELS), few


def rare_pairs(rows: Rows) -> Rare:
    """Return the 20 rarest pairs of levels of two columns in true rows; missing cells are no levels.

    Args:
        rows: All true rows that there are.
    """
    with_levels = (column for column, cut in enumerate(rows.cuts) if cut.levels)
    counted = []
    for one, other in combinations(islice(with_levels, MOST_COLUMNS), 2):
        width = rows.cuts[other].count
        codes, counts = np.unique(rows.cells[one] * width + rows.cells[other], return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            levels = divmod(code, width)
            if levels[0] < len(rows.cuts[one].levels) and levels[1] < len(rows.cuts[other].levels):
                counted.append((count, ((one, levels[0]), (other, levels[1]))))
    return _rarest(counted, rows, MOST_PAIRS)


def _rarest(counted: Iterable[tuple[int, tuple[tuple[int, int], ...]]], rows: Rows, most: int) -> Rare:
    total = len(rows.cells[0])
    few = sorted(pair for pair in counted if LEAST_ROWS <= pair[0] < RARE * total)[:most]
    places = tuple(place for _, place in few)
    names = tuple("&".join(_named(rows.cuts, *part) for part in place) for place in places)
    return Rare(names, places, np.array([count / total for count, _ in few]))


def _have(cells: Sequence[Ints], place: tuple[tuple[int, int], ...]) -> Bools:
    found: Bools = np.logical_and.reduce([cells[column] == level for column, level in place])
    return found


def _named(cuts: Sequence[Cut], column: int, level: int) -> str:
    return f"{_short(cuts[column].name)}={_short(cuts[column].levels[level])}"


def _short(text: str) -> str:
    """Return a name that fits beside three others in that of a metric, and is no other's."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 9]}…{hashlib.sha256(text.encode()).hexdigest()[:8]}"
