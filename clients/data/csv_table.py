# SPDX-License-Identifier: Apache-2.0
"""Rows from a CSV file: UTF-8, a header line, numbers in every column but the label's."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.utf8 import read_utf8
from tailweave.clients.samples import DataError, Numbers, Samples


def read_csv(path: Path, label: str | None) -> Samples:
    """Read a comma-separated table; a byte-order mark and blank lines at the end are allowed.

    Args:
        path: An existing file.
        label: Name of the column that holds the labels, kept as text; None if there is none.

    Returns:
        The table; spaces around names, labels and numbers are dropped.

    Raises:
        DataError: Naming file, line and column, what was found and what is allowed.
    """
    records = csv_records(path)
    header = next(records, None)
    if header is None:
        raise DataError(f"{path}: the file is empty; line 1 must name the columns")
    names = _names(path, header[1], label)
    cells = list(records)
    if not cells:
        raise DataError(f"{path}: there are no rows after the header line")
    for line, row in cells:
        if len(row) != len(names):
            raise DataError(f"{path}, line {line}: found {len(row)} cells, the header has {len(names)}")
    at = names.index(label) if label is not None else -1
    columns = tuple(name for name in names if name != label)
    values = [
        [_number(path, line, name, cell) for name, cell in zip(names, row, strict=True) if name != label]
        for line, row in cells
    ]
    labels = None if label is None else np.array([_label(path, line, label, row[at]) for line, row in cells])
    return Samples.of(np.array(values), labels, Numbers(columns))


def csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, stripped cells) of every record, the header first.

    Raises:
        DataError: If the file is not UTF-8, not comma-separated, or blank lines stand before its end.
    """
    reader = csv.reader(io.StringIO(read_utf8(path), newline=""), strict=True)
    blank = 0
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if cells in ([], [""]):
                blank = blank or reader.line_num
            elif blank:
                raise DataError(f"{path}, line {blank}: found a blank line; only the end may be blank")
            else:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a comma-separated table: {error}") from error


def _names(path: Path, header: list[str], label: str | None) -> list[str]:
    """Return the checked column names."""
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise DataError(f"{path}, line 1: found {header[0][:60]!r}; columns must be separated by commas")
    if "" in header:
        raise DataError(f"{path}, line 1: column {header.index('') + 1} has no name; every column needs one")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line 1: column names must differ, found twice: {', '.join(twice)}")
    if all(_is_number(name) for name in header):
        raise DataError(f"{path}, line 1: found only numbers; the first line must name the columns")
    if label is not None and label not in header:
        raise DataError(f"{path}, line 1: {unknown_name('column', label, header)}")
    if header == [label]:
        raise DataError(f"{path}, line 1: found only the label column {label!r}; it has no numeric columns")
    return header


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, column: str, text: str) -> float:
    """Return one cell as a finite number."""
    # float() reads 1_000 as a thousand: in data an underscore is more likely a mistake than a separator.
    if _is_number(text) and "_" not in text and math.isfinite(number := float(text)):
        return number
    found = repr(text[:60]) if text else "an empty cell"
    hint = "" if not text or _is_number(text) else "; if this column holds the labels, name it in label"
    raise DataError(f"{path}, line {line}, column {column!r}: found {found}, allowed: a finite number{hint}")


def _label(path: Path, line: int, column: str, text: str) -> str:
    """Return one cell as a label."""
    if not text:
        raise DataError(f"{path}, line {line}, column {column!r}: found an empty cell, allowed: a label")
    return text
