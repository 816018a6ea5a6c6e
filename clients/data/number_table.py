# SPDX-License-Identifier: Apache-2.0
"""A table of which nothing is declared: numbers in every column but the label's."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.data.arrow_file import is_text
from tailweave.clients.data.bad_columns import BadColumn, refusal
from tailweave.clients.data.cell_numbers import CellNumbers, cell_numbers
from tailweave.clients.data.label_column import check_label_type, labels_of
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.raw_table import Form, is_csv, raw_schema, read_raw
from tailweave.clients.samples import DataError, Numbers, Samples

if TYPE_CHECKING:
    import pyarrow


def read_numbers(path: Path, label: str | None, form: Form) -> Samples:
    """Read a table whose columns are numbers, as CSV, Parquet or Feather.

    Args:
        path: An existing file.
        label: Name of the column that holds the labels, kept as text; None if there is none.
        form: How a CSV is written.

    Returns:
        The table; truth values of Parquet are 0 and 1.

    Raises:
        DataError: Naming file, line or row, and column, what was found and what is allowed; where cells are
            no numbers, all columns that have such.
    """
    schema = raw_schema(path, delimiter=form.delimiter, keep=[] if label is None else [label])
    _check_names(path, schema.names, label)
    if label is not None:
        check_label_type(path, label, schema.field(label).type)
    readable = [field.name for field in schema if field.type.num_fields == 0]
    table = read_raw(path, delimiter=form.delimiter, decimal=form.decimal, columns=readable)
    names = [name for name in schema.names if name != label]
    values = np.empty((len(table), len(names)))
    bad = []
    for at, name in enumerate(names):
        cells = table.column(name) if name in readable else None
        found = _numbers(path, cells, len(table), form)
        values[:, at] = found.values
        if found.bad.any():
            bad.append(BadColumn(name, str(schema.field(name).type), found.bad, cells))
    if bad:
        raise refusal(path, bad, hint=label is None, form=form)
    labels = None if label is None else labels_of(path, label, table.column(label), delimiter=form.delimiter)
    return Samples.of(values, labels, Numbers(tuple(names)))


def _check_names(path: Path, names: Sequence[str], label: str | None) -> None:
    where = f"{path}, line 1" if is_csv(path) else str(path)
    if label is not None and label not in names:
        raise DataError(f"{where}: {unknown_name('column', label, names)}")
    if "" in names:
        raise DataError(
            f"{where}: column {names.index('') + 1} has no name; every column needs one, or, if it is a data "
            f'frame\'s index, data.columns with `"": ignore`: `tailweave inspect {path}` '
            "proposes all of it"
        )
    if not set(names) - {label}:
        found = f"found only the label column {label!r}; it has" if names else "there are"
        raise DataError(f"{where}: {found} no numeric columns")


def _numbers(path: Path, cells: "pyarrow.ChunkedArray | None", rows: int, form: Form) -> CellNumbers:
    """Read a column; text counts as numbers in a CSV only, which has nothing else."""
    if cells is None or (is_text(cells.type) and not is_csv(path)):
        return CellNumbers(np.full(rows, np.nan), np.ones(rows, dtype=np.bool_))
    return cell_numbers(cells, decimal=form.decimal)
