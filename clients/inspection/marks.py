# SPDX-License-Identifier: Apache-2.0
"""How a CSV is written: what parts its cells, and what stands before the decimals of its numbers."""

import csv
import gzip
import re
from pathlib import Path

from tailweave.clients.data.raw_table import Form

_READ = 2**18
_LINES = 200
_DELIMITERS = (",", ";", "\t", "|")
_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")


def marks_of(path: Path, *, delimiter: str | None, decimal: str | None) -> Form:
    """Guess from the first lines what is not given.

    Args:
        path: A CSV, perhaps packed by gzip.
        delimiter: What parts cells, if that is known.
        decimal: The mark before decimals, if that is known.

    Raises:
        OSError: If it cannot be read.
    """
    lines = _lines(path)
    mark = delimiter or max(_DELIMITERS, key=lambda one: _fit(lines, one))
    if decimal is None:
        cells = [cell.strip() for row in _rows(lines[1:], mark) for cell in row]
        commas = sum(_COMMA.fullmatch(cell) is not None for cell in cells)
        decimal = (
            "," if mark != "," and commas > sum(_POINT.fullmatch(cell) is not None for cell in cells) else "."
        )
    return Form(mark, decimal)


def _lines(path: Path) -> list[str]:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        raw = file.read(_READ)
    text = raw.decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    return lines[: min(_LINES, max(1, len(lines) - 1) if len(raw) == _READ else _LINES)]


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    return list(csv.reader(lines, delimiter=delimiter))


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    """Return in which share of the lines there are as many cells as in the header, and how many these are."""
    rows = [row for row in _rows(lines, delimiter) if row]
    cells = len(rows[0]) if rows else 1
    alike = sum(len(row) == cells for row in rows) / max(len(rows), 1)
    return (alike, cells) if cells > 1 else (0.0, 1)
