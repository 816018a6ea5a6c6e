# SPDX-License-Identifier: Apache-2.0
"""The one reader of table files: what stands in them, before anybody says what it means."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tailweave.clients.data.arrow_file import FEATHER, PARQUET, arrow_schema, read_arrow
from tailweave.clients.data.csv_file import csv_names, read_csv_text
from tailweave.clients.data.csv_records import parted_by
from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    import pyarrow

_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_ARROW = {".parquet": PARQUET, ".feather": FEATHER}
RAW_ENDINGS = (*_CSV, *_ARROW)


class Form(NamedTuple):
    """How the text of a CSV is read: what parts its cells, and what stands before decimals."""

    delimiter: str = ","
    decimal: str = "."


PLAIN = Form()


def read_raw(
    path: str | Path, *, delimiter: str = ",", decimal: str = ".", columns: Sequence[str] | None = None
) -> "pyarrow.Table":
    """Read a table file with pyarrow.

    Args:
        path: A .csv or .tsv, perhaps packed as .gz, a .parquet or a .feather; ``~`` is one's own folder.
        delimiter: What parts the cells of a CSV; those of a .tsv are parted by tabs.
        decimal: The mark in a CSV's numbers, only to see that it is not what parts the cells: text stays as
            it is written.
        columns: Names of those to return, in this order; None means all but a data frame's row names.

    Returns:
        Of a CSV columns of text, without white space around it; nothing is null there, an empty cell is
        ``""``, and one column may have the name ``""``. Else columns of the file's own types, text as
        ``string``.

    Raises:
        DataError: Naming file, line and column, what was found and what is allowed.
    """
    path = existing(path)
    if delimiter == decimal:
        raise DataError(f"{path}: delimiter and decimal must differ, got {delimiter!r} for both")
    form = _ARROW.get(path.suffix.lower())
    try:
        if form is None:
            return read_csv_text(path, parted_by(path, delimiter), columns)
        return read_arrow(path, form, arrow_schema(path, form, ()).names if columns is None else columns)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def raw_schema(path: str | Path, *, delimiter: str = ",", keep: Sequence[str] = ()) -> "pyarrow.Schema":
    """Return names and types of a table file's columns, as ``read_raw`` gives them; no row is read.

    Args:
        path: As for ``read_raw``.
        delimiter: As for ``read_raw``.
        keep: A data frame's row names that count as columns.

    Raises:
        DataError: As ``read_raw``.
    """
    import pyarrow

    path = existing(path)
    form = _ARROW.get(path.suffix.lower())
    try:
        if form is not None:
            return arrow_schema(path, form, keep)
        names = csv_names(path, parted_by(path, delimiter))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return pyarrow.schema([(name, pyarrow.string()) for name in names])


def existing(path: str | Path, endings: Sequence[str] = RAW_ENDINGS) -> Path:
    """Return the path of a file that is there and ends as it must, ``~`` written out.

    Raises:
        DataError: Naming what is wrong with it.
    """
    path = Path(os.path.expanduser(path))  # Path.expanduser raises where there is no home
    if not path.name.lower().endswith(tuple(endings)):
        found = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
        raise DataError(f"{path}: the name must end in {' or '.join(endings)}, found {found or 'no ending'}")
    if path.is_dir():
        raise DataError(f"{path}: found a directory, allowed: a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file (looked for {path.absolute()})")
    return path


def is_csv(path: Path) -> bool:
    """Tell whether cells of a file are text, by its name."""
    return path.name.lower().endswith(_CSV)
