# SPDX-License-Identifier: Apache-2.0
"""The column of labels: text, whatever it was in the file, and the same from CSV, Parquet and NPZ."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.arrow_file import is_text
from tailweave.clients.data.csv_records import lines_of
from tailweave.clients.data.raw_table import is_csv
from tailweave.clients.data.whole_numbers import whole
from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    import pyarrow

_LONGEST_LABEL = 800
"""Bytes: 200 characters of four; a longer class could not be named among the metrics."""


def check_label_type(path: Path | str, name: str, kind: "pyarrow.DataType") -> None:
    """Refuse what could not be a class; raises ``DataError``."""
    from pyarrow import types

    numbers = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    if not is_text(kind) and not any(fits(kind) for fits in numbers):
        raise DataError(f"{path}, column {name!r}: found labels of {kind}, allowed: text or whole numbers")


def labels_of(
    path: Path, name: str, column: "pyarrow.ChunkedArray", *, delimiter: str = ","
) -> NDArray[np.str_]:
    """Return the labels as text, shape (n,).

    Floats that are whole are called as integers are, also where a CSV has nothing but such: a data frame
    writes classes 3 and 5 as 3.0 and 5.0 where once one was missing.

    Args:
        path: The file, for messages.
        name: The column's name, for messages.
        column: As ``read_raw`` gives it.
        delimiter: What parts cells of a CSV, to find the line of a bad one.

    Raises:
        DataError: Naming the first that is missing, no whole number, or too long.
    """
    from pyarrow import types

    _no_gaps(path, name, column, delimiter)
    if is_text(column.type):
        return _texts(path, name, column)
    found = np.array(column.to_pylist())
    if types.is_floating(column.type) or types.is_decimal(column.type):
        found = whole(f"{path}, column {name!r}", found.astype(np.float64))
    return found.astype(np.str_)


def _texts(path: Path, name: str, column: "pyarrow.ChunkedArray") -> NDArray[np.str_]:
    from pyarrow import compute

    size = compute.max(compute.binary_length(column)).as_py()
    if size > _LONGEST_LABEL:  # every row becomes as wide as the longest
        raise DataError(
            f"{path}, column {name!r}: found a label of {size} bytes, allowed: at most {_LONGEST_LABEL}"
        )
    if is_csv(path) and compute.all(compute.match_substring_regex(column, r"^-?[0-9]+\.0+$")).as_py():
        column = compute.replace_substring_regex(column, r"\.0+$", "")
    return np.array(column.to_pylist(), dtype=np.str_)


def _no_gaps(path: Path, name: str, column: "pyarrow.ChunkedArray", delimiter: str) -> None:
    from pyarrow import compute

    gaps = compute.is_null(column, nan_is_null=True)
    if is_text(column.type):
        gaps = compute.or_(gaps, compute.equal(compute.coalesce(column, ""), ""))
    if not compute.any(gaps).as_py():
        return
    row = int(np.argmax(gaps.to_numpy()))
    if is_csv(path):
        line = lines_of(path, [row], delimiter=delimiter)[row]
        raise DataError(f"{path}, line {line}, column {name!r}: found an empty cell, allowed: a label")
    found = "nothing" if column[row].as_py() is None else "an empty label"
    raise DataError(f"{path}, row {row}, column {name!r}: found {found}, allowed: a label")
