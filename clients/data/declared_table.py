# SPDX-License-Identifier: Apache-2.0
"""A table whose columns are declared: each cell is checked by what its column is, and rows are encoded."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tailweave.clients.data.csv_records import lines_of
from tailweave.clients.data.label_column import check_label_type, labels_of
from tailweave.clients.data.naming import SHOWN
from tailweave.clients.data.raw_table import is_csv, raw_schema, read_raw
from tailweave.clients.samples import DataError, Labels, Samples
from tailweave.clients.sorts_table import Table
from tailweave.protocols.config.columns import features_of
from tailweave.protocols.kinds.columns.base import ColumnKind
from tailweave.protocols.kinds.sources.table import TableData

if TYPE_CHECKING:
    import pyarrow

    from tailweave.clients.columns import Read

_MOST_BAD = 50
"""Columns that a message spells out."""


class _Bad(NamedTuple):
    """A column with cells that are not allowed: how many, the first of them, and what would be."""

    name: str
    cells: int
    row: int
    found: object
    allowed: str


def read_declared(spec: TableData, path: Path) -> Samples:
    """Read the rows of a table as ``spec.columns`` declares them.

    Args:
        spec: Label and declared columns; columns of the file may stand in any order.
        path: The file.

    Returns:
        Encoded rows (``sorts_table.py``), with their labels and groups if these are declared.

    Raises:
        DataError: If the file cannot be read, a column of it is not declared or one is lacking, or cells are
            not what is declared: of all columns at once, how many, the first and what is allowed.
    """
    declared = spec.columns or {}
    keep = [*declared, *([] if spec.label is None else [spec.label])]
    names = raw_schema(path, delimiter=spec.delimiter, keep=keep).names
    _check_names(path, names, declared, spec.label)
    needed = [name for name in names if name == spec.label or declared[name].feature or declared[name].beside]
    table = read_raw(path, delimiter=spec.delimiter, decimal=spec.decimal, columns=needed)
    if not len(table):
        raise DataError(f"{path}: there are no rows")
    features = features_of(declared, spec.label)
    sort = Table.of(features, spec.label, spec.missing)
    read = {name: _read(spec, name, kind, table) for name, kind in features.items()}
    classes = _read_classes(spec, table)
    bad = [
        _first(name, declared[name], one, table) for name, one in (read | classes).items() if one.bad.any()
    ]
    if bad:
        raise DataError(_refusal(spec, path, bad))
    rows = sort.encoded(list(read.values()))
    labels = _labels(spec, path, table, classes)
    return Samples(rows, sort, labels, np.zeros(len(rows), dtype=np.int64), _groups(declared, table))


def _check_names(
    path: Path, names: Sequence[str], declared: dict[str, ColumnKind], label: str | None
) -> None:
    """Refuse columns that are not declared, and declared ones that are not there; all of them at once."""
    known = {*declared, *([] if label is None else [label])}
    more = [name for name in names if name not in known]
    needed = [*features_of(declared, label), *([] if label is None else [label])]
    there = set(names)
    lacking = [name for name in needed if name not in there]
    said = []
    if more:
        said.append(f"columns that are not declared: {_listed(more)}; declare each, or say NAME: ignore")
    if lacking:
        said.append(f"columns that are declared but not there: {_listed(lacking)}")
    if said:
        raise DataError(f"{path}: {'; '.join(said)} (data.columns)")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:SHOWN]))
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} others"


def _read(spec: TableData, name: str, kind: ColumnKind, table: "pyarrow.Table") -> "Read":
    from tailweave.clients.columns import Cells, read_column

    return read_column(kind, Cells(table.column(name), spec.decimal), spec.missing)


def _first(name: str, kind: ColumnKind, read: "Read", table: "pyarrow.Table") -> _Bad:
    from tailweave.clients.columns import allowed_in

    row = int(np.argmax(read.bad))
    return _Bad(name, int(read.bad.sum()), row, table.column(name)[row].as_py(), allowed_in(kind))


def _refusal(spec: TableData, path: Path, bad: Sequence[_Bad]) -> str:
    shown = bad[:_MOST_BAD]
    lines = lines_of(path, [one.row for one in shown], delimiter=spec.delimiter) if is_csv(path) else {}
    what = "a column has" if len(bad) == 1 else f"{len(bad)} columns have"
    told = [f"{path}: {what} cells that are not what data.columns declares"]
    for one in shown:
        place = f"line {lines[one.row]}" if lines else f"row {one.row}"
        found = "an empty cell" if one.found in ("", None) else repr(str(one.found)[:60])
        times = "1 cell" if one.cells == 1 else f"{one.cells} cells, the first"
        told.append(f"column {one.name!r}: {times} in {place}: found {found}, allowed: {one.allowed}")
    if len(bad) > _MOST_BAD:
        told.append(f"and {len(bad) - _MOST_BAD} columns more")
    return "\n".join(told)


def _read_classes(spec: TableData, table: "pyarrow.Table") -> dict[str, "Read"]:
    """Return the label column by its name where its classes are declared."""
    kind = (spec.columns or {}).get(spec.label or "")
    return {} if spec.label is None or kind is None else {spec.label: _read(spec, spec.label, kind, table)}


def _labels(spec: TableData, path: Path, table: "pyarrow.Table", classes: dict[str, "Read"]) -> Labels | None:
    if spec.label is None:
        return None
    if classes:
        names: Labels = np.array((spec.columns or {})[spec.label].level_names)
        return names[classes[spec.label].values.astype(np.intp)]
    column = table.column(spec.label)
    check_label_type(path, spec.label, column.type)
    return labels_of(path, spec.label, column, delimiter=spec.delimiter)


def _groups(declared: dict[str, ColumnKind], table: "pyarrow.Table") -> Labels | None:
    """Return the group of each row as text, where one is declared and there: a silo's own file needs none."""
    from tailweave.clients.columns import Cells

    names = [name for name, kind in declared.items() if kind.beside and name in table.column_names]
    if not names:
        return None
    return np.array(Cells(table.column(names[0])).texts().fill_null("").to_pylist(), dtype=np.str_)
