# SPDX-License-Identifier: Apache-2.0
"""A table of the report as text cells, which the template only lays out."""

from dataclasses import dataclass

from tailweave.simulation.report.wording import EN_DASH


@dataclass(frozen=True)
class Cell:
    """One value, the half-width of its interval, and a mark: ``best``, ``clear`` or nothing."""

    text: str
    spread: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """One row: its head, a note under it, the colour of its arm, and its cells."""

    head: str
    cells: tuple[Cell, ...]
    note: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Table:
    """A table: what it says in one line, column heads with their meaning, and rows."""

    caption: str
    corner: str
    heads: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]


BLANK = Cell(EN_DASH)
