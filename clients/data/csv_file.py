# SPDX-License-Identifier: Apache-2.0
"""A CSV as a table of text: pyarrow reads it, and Python's own reader says in which line a mistake stands."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.data.cell_numbers import is_number
from tailweave.clients.data.csv_records import records_of
from tailweave.clients.data.unpacked import unpacked
from tailweave.clients.data.utf8 import decoded
from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    import pyarrow

_BLOCK = 2**24
"""Bytes that pyarrow parses at once; Python reads a file in which a record is longer."""
_SCANNED = 2**20
"""Bytes in which quotes are sought at once: what fits into a processor's cache."""
_SHOWN = 20
_SPACES = (b" ", b"\t", b"\v", b"\f", b"\x1c", b"\x1d", b"\x1e", b"\x1f")


def csv_names(path: Path, delimiter: str) -> list[str]:
    """Return the names of the columns, in their order.

    One column may have no name, as a data frame's index has none; it is called ``""``.

    Raises:
        DataError: Naming the line, what was found and what is allowed.
    """
    return _names(path, unpacked(path), delimiter)


def read_csv_text(path: Path, delimiter: str, columns: Sequence[str] | None) -> "pyarrow.Table":
    """Read a CSV with one header line; a byte-order mark and blank lines at the end are allowed.

    Args:
        path: An existing file, perhaps packed by gzip.
        delimiter: One character between cells.
        columns: Those to return, in this order; None means all.

    Returns:
        Columns of text without white space around it; nothing is missing, an empty cell is ``""``.

    Raises:
        DataError: Naming file, line and column, what was found and what is allowed.
    """
    from pyarrow import ArrowInvalid, compute

    raw = unpacked(path)
    names = _names(path, raw, delimiter)
    if _doubtful(raw, delimiter):
        for _ in _checked(path, raw, names, delimiter):
            pass
    # White space in a row of empty cells between tabs is no blank end.
    blank = b" \r\n" if delimiter == "\t" else b" \t\r\n"
    body = raw if raw[-1:] == b"\n" and raw[-2:-1] not in blank else raw.rstrip(blank) + b"\n"
    try:
        table = _parsed(body, names, delimiter, columns)
    except ArrowInvalid:  # there is a mistake, or a record is too long for a block
        decoded(path, raw)
        table = _slowly(path, raw, names, delimiter, columns)
    if len(table) == 0:
        raise DataError(f"{path}: there are no rows after the header line")
    if _tight(body, delimiter, len(table)):
        return table
    trimmed = [compute.utf8_trim_whitespace(column) for column in table.columns]
    return type(table).from_arrays(trimmed, names=table.column_names)


def _parsed(
    body: bytes, names: Sequence[str], delimiter: str, columns: Sequence[str] | None
) -> "pyarrow.Table":
    import pyarrow
    from pyarrow import csv

    return csv.read_csv(
        pyarrow.BufferReader(body),
        csv.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=_BLOCK),
        csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pyarrow.string()),
            strings_can_be_null=False,
            include_columns=columns,
        ),
    )


def _names(path: Path, raw: bytes, delimiter: str) -> list[str]:
    """Return the checked names of the columns."""
    if b"\0" in raw[:4]:  # UTF-16: to UTF-8 each second byte is a character of its own
        decoded(path, raw)
    _, header = next(records_of(path, raw, delimiter), (1, []))
    if not header:
        raise DataError(f"{path}: the file is empty; line 1 must name the columns")
    if len(header) == 1 and (other := [mark for mark in ",;\t|" if mark in header[0] and mark != delimiter]):
        said = {",": "commas", "\t": "tabs"}.get(delimiter, f"{delimiter!r}")
        remedy = f"say data.delimiter: {'tab' if other[0] == chr(9) else repr(other[0])}"
        raise DataError(
            f"{path}, line 1: found {header[0][:60]!r}; columns must be separated by {said}, or {remedy}"
        )
    nameless = [at for at, name in enumerate(header, 1) if not name]
    if len(nameless) > 1:
        raise DataError(f"{path}, line 1: column {nameless[1]} has no name; only one may have none")
    twice = (
        sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    )
    if twice:
        raise DataError(f"{path}, line 1: column names must differ, found twice: {', '.join(twice[:_SHOWN])}")
    if all(is_number(name) for name in header):
        raise DataError(f"{path}, line 1: found only numbers; the first line must name the columns")
    return header


def _doubtful(raw: bytes, delimiter: str) -> bool:
    """Tell whether a blank line or a stray quote may be there, over which pyarrow passes in silence."""
    if b"\n\n" in raw or (b"\r" in raw and (b"\n\r" in raw or b"\r\r" in raw)):
        return True
    if b'"' not in raw:
        return False
    cells = np.frombuffer(raw, dtype=np.uint8)
    beside = np.zeros(256, dtype=np.bool_)
    beside[list(f'\n\r"{delimiter}'.encode())] = True
    opened = 0
    for start in range(0, len(cells), _SCANNED):
        quotes = start + np.flatnonzero(cells[start : start + _SCANNED] == ord('"'))
        first, last = quotes[opened::2], quotes[1 - opened :: 2]
        before, after = cells[first[first > 0] - 1], cells[last[last < len(cells) - 1] + 1]
        if not (beside[before].all() and beside[after].all()):
            return True
        opened = (opened + len(quotes)) % 2
    return bool(opened)


def _tight(body: bytes, delimiter: str, rows: int) -> bool:
    """Tell whether no cell can have white space around it, which is soon said of a table of numbers."""
    ends = body.count(b"\n")
    if not body.isascii() or ends != rows + 1 or (b"\r" in body and b'"' in body):
        return False  # beyond ASCII there are other spaces, and a line that ends within quotes is one too
    return not any(space in body for space in _SPACES if space != delimiter.encode())


def _checked(path: Path, raw: bytes, names: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the rows one by one; the first that does not fit is refused with its line."""
    records = records_of(path, raw, delimiter)
    next(records)
    for line, cells in records:
        if len(cells) != len(names):
            raise DataError(f"{path}, line {line}: found {len(cells)} cells, the header has {len(names)}")
        yield cells


def _slowly(
    path: Path, raw: bytes, names: Sequence[str], delimiter: str, columns: Sequence[str] | None
) -> "pyarrow.Table":
    import pyarrow

    rows = list(_checked(path, raw, names, delimiter))
    cells = [pyarrow.array([row[at] for row in rows], pyarrow.string()) for at in range(len(names))]
    table = pyarrow.Table.from_arrays(cells, names=names)
    return table if columns is None else table.select(columns)
