# SPDX-License-Identifier: Apache-2.0
"""The records of a CSV one by one, with their lines: documents are read so, and mistakes are found so."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tailweave.clients.data.unpacked import unpacked
from tailweave.clients.data.utf8 import decoded
from tailweave.clients.samples import DataError

csv.field_size_limit(sys.maxsize)  # a document may be longer than the 131,072 characters of Python's default
_TABBED = (".tsv", ".tsv.gz")
_CALLED = {",": "a comma-separated", ";": "a semicolon-separated", "\t": "a tab-separated"}


def parted_by(path: Path, delimiter: str) -> str:
    """Return what parts the cells of a CSV: tabs where its name says so and nothing else was declared."""
    return "\t" if delimiter == "," and path.name.lower().endswith(_TABBED) else delimiter


def csv_records(path: Path, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, stripped cells) of every record, the header first.

    Raises:
        DataError: If the file is not UTF-8, not separated so, or blank lines stand before its end.
    """
    return records_of(path, unpacked(path), parted_by(path, delimiter))


def records_of(path: Path, raw: bytes, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of bytes that ``path`` holds; raises ``DataError`` as ``csv_records`` does."""
    text = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True, delimiter=delimiter)
    blank = 0
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if not record or (cells == [""] and record != [""]):  # "" in quotes is a cell
                blank = blank or reader.line_num
            elif blank:
                raise DataError(f"{path}, line {blank}: found a blank line; only the end may be blank")
            else:
                yield reader.line_num, cells
    except UnicodeDecodeError:
        decoded(path, raw)
        raise
    except csv.Error as error:
        called = _CALLED.get(delimiter, f"a {delimiter!r}-separated")
        raise DataError(f"{path}, line {reader.line_num}: not {called} table: {error}") from error


def lines_of(path: Path, rows: Iterable[int], *, delimiter: str = ",") -> dict[int, int]:
    """Return the last line of each of some rows, which are counted from 0 after the header."""
    wanted = set(rows)
    records = islice(csv_records(path, delimiter=delimiter), 1, max(wanted) + 2)
    return {row: line for row, (line, _) in enumerate(records) if row in wanted}
