# SPDX-License-Identifier: Apache-2.0
"""All columns of a table that are no numbers, said in one message, with what to do about them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.cell_numbers import LARGEST, is_large
from tailweave.clients.data.csv_records import lines_of
from tailweave.clients.data.raw_table import Form, is_csv
from tailweave.clients.inspection.column import propose
from tailweave.clients.inspection.proposal import ignored
from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    import pyarrow

_SHOWN = 20
"""Columns told in full; of five thousand nobody reads more."""


class BadColumn(NamedTuple):
    """A column with cells that are no numbers; ``bad`` tells which, shape (n,).

    ``cells`` is None where the column's type cannot be read.
    """

    name: str
    type: str
    bad: NDArray[np.bool_]
    cells: "pyarrow.ChunkedArray | None"


def refusal(path: Path, columns: Sequence[BadColumn], *, hint: bool, form: Form) -> DataError:
    """Say of each column how many cells are wrong, where the first stands, and what to declare it as.

    Args:
        path: The file.
        columns: At least one.
        hint: Whether one of them may be the label, which nobody has named.
        form: How a CSV is written.
    """
    shown = columns[:_SHOWN]
    first = [int(np.argmax(column.bad)) for column in shown]
    lines = lines_of(path, first, delimiter=form.delimiter) if is_csv(path) else {}
    told = [
        _told(f"{path}, line {lines[row]}" if lines else f"{path}, row {row}", column, row, form.decimal)
        for column, row in zip(shown, first, strict=True)
    ]
    if len(columns) > _SHOWN:
        told.append(f"and {len(columns) - _SHOWN} columns more")
    told.append(
        f"say in data.columns what each column is (`tailweave inspect {path}` writes that for you), these as"
    )
    told += [f"  {_proposed(column, form)}" for column in shown]
    if hint:
        told.append("if one of these holds the labels, name it in data.label")
    return DataError("\n".join(told))


def _proposed(column: BadColumn, form: Form) -> str:
    if column.cells is None:
        return ignored(f"values of type {column.type}").line(column.name)
    return propose(column.name, column.cells, decimal=form.decimal).line(column.name)


def _told(where: str, column: BadColumn, row: int, decimal: str) -> str:
    count = f"{np.count_nonzero(column.bad)} of {len(column.bad)} cells"
    if column.cells is None:
        return f"{where}, column {column.name!r}: found {column.type}, allowed: numbers"
    cell = column.cells[row].as_py()
    found = "nothing" if cell is None else "an empty cell" if cell == "" else repr(cell)[:60]
    large = cell is not None and is_large(str(cell), decimal=decimal)
    marked = f"a finite number, with {decimal!r} before decimals" if decimal != "." else "a finite number"
    allowed = f"a number up to {LARGEST:g}; change its unit" if large else marked
    return f"{where}, column {column.name!r}: found {found}, allowed: {allowed} ({count})"
