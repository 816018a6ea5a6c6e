# SPDX-License-Identifier: Apache-2.0
"""Tables for a terminal of any width: columns that do not fit make a further table; no word is broken."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.table import Table

_BESIDE = 3
"""A column's rule and padding."""


class Column(NamedTuple):
    """A head, its cells, and where they stand."""

    head: str
    cells: Sequence[str]
    right: bool = True

    @property
    def width(self) -> int:
        """Characters that the widest cell takes."""
        return max(cell_len(text) for text in (self.head, *self.cells))


def folded(title: str, fixed: Sequence[Column], columns: Sequence[Column], width: int) -> Iterator[Table]:
    """Yield tables of the same rows: the fixed columns first, and as many others as fit so many characters.

    Where not even one further column fits, words are folded.
    """
    room = width - 1 - sum(column.width + _BESIDE for column in fixed)
    part: list[Column] = []
    for column in columns:
        if part and sum(c.width + _BESIDE for c in (*part, column)) > room:
            yield _table(title, [*fixed, *part], width)
            title, part = "", []
        part.append(column)
    yield _table(title, [*fixed, *part], width)


def _table(title: str, columns: Sequence[Column], width: int) -> Table:
    table = Table(title=title or None, title_justify="left")
    fits = 1 + sum(column.width + _BESIDE for column in columns) <= width
    for column in columns:  # where even one column does not fit, a folded word is better than a cut one
        justify: Literal["right", "left"] = "right" if column.right else "left"
        table.add_column(column.head, justify=justify, no_wrap=fits, overflow="fold")
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table
