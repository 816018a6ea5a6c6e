# SPDX-License-Identifier: Apache-2.0
"""Documents from a folder, from lines or from a column, and what becomes of them where they stay text."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tailweave.clients.data.csv_records import csv_records
from tailweave.clients.data.folders import files_by_class
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.utf8 import read_utf8
from tailweave.clients.samples import TEXT, DataError, Samples

_ALLOWED = "a folder of .txt files, a .txt with a document a line, or a .csv with text-column"
_FEWEST = 2
"""Documents in all, and of each group: a share of them is held out."""


class Document(NamedTuple):
    """One document, where it stands, and its class if there are classes."""

    where: str
    text: str
    label: str | None


def read_documents(
    path: str | Path, *, column: str | None = None, label: str | None = None
) -> list[Document]:
    """Read documents as they stand there.

    Args:
        path: A folder of .txt files, all in itself (no classes) or all in its sub-folders (the classes); a
            .txt file with a document a line; or a .csv, of which only ``column`` and ``label`` are read.
        column: Name of the CSV's column of documents; for a CSV only.
        label: Name of the CSV's column of classes, if any; for a CSV only.

    Returns:
        At least 2 documents; all have a label, or none has.

    Raises:
        DataError: Naming file, line, what was found and what is allowed.
    """
    path = Path(path)
    try:
        found = _documents(path, column, label)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return enough(path, found)


def enough(path: Path, found: list[Document]) -> list[Document]:
    """Return the documents of a file or folder; raises ``DataError`` if they are fewer than 2."""
    if len(found) < _FEWEST:
        raise DataError(f"{path}: expected at least {_FEWEST} documents, found {len(found)}")
    return found


def as_text(found: Sequence[Document]) -> Samples:
    r"""Return documents as samples of sort text: as they are, but for white space around them and ``\r\n``.

    Raises:
        DataError: Naming the first that is blank.
    """
    texts = [document.text.replace("\r\n", "\n").strip() for document in found]
    for document, text in zip(found, texts, strict=True):
        if not text:
            raise DataError(f"{document.where}: found a blank document, allowed: documents with words")
    labels = None if found[0].label is None else np.array([document.label for document in found])
    return Samples.of(texts, labels, TEXT)


def in_groups(path: str, rows: Samples) -> Samples:
    """Return the same documents; raises ``DataError`` naming a group of which there are fewer than 2."""
    for name, count in Counter([] if rows.labels is None else rows.labels.tolist()).items():
        if count < _FEWEST:
            raise DataError(
                f"{path}: group {name!r} has {count} document, allowed: {_FEWEST} or more in each group, as "
                "a share is held out; give it more, or leave it out"
            )
    return rows


def _documents(path: Path, column: str | None, label: str | None) -> list[Document]:
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder (looked for {path.absolute()})")
    if path.is_file() and path.suffix.lower() == ".csv":
        return _cells(path, column, label)
    for key, value in (("text-column", column), ("label", label)):
        if value is not None:
            raise DataError(f"{path}: {key} is for a .csv of documents; remove it")
    if path.is_dir():
        return _files(path)
    if path.suffix.lower() != ".txt":
        raise DataError(f"{path}: found {path.suffix or 'no ending'}, allowed: {_ALLOWED}")
    return _lines(path)


def _files(folder: Path) -> list[Document]:
    files, labels = files_by_class(folder, (".txt",), "documents")
    classes: Sequence[str | None] = labels or [None] * len(files)
    return [Document(str(file), read_utf8(file), name) for file, name in zip(files, classes, strict=True)]


def _lines(path: Path) -> list[Document]:
    lines = read_utf8(path).rstrip().split("\n")  # splitlines would also cut at form feeds and the like
    return [] if lines == [""] else [Document(f"{path}, line {i}", x, None) for i, x in enumerate(lines, 1)]


def _cells(path: Path, column: str | None, label: str | None) -> list[Document]:
    if column is None:
        raise DataError(f"{path}: a .csv of documents needs text-column, the name of their column")
    records = csv_records(path)
    _, header = next(records, (1, []))
    for name in (column, label):
        if name is not None and name not in header:
            raise DataError(f"{path}, line 1: {unknown_name('column', name, header)}")
    at, class_at = header.index(column), None if label is None else header.index(label)
    found = []
    for line, cells in records:
        where = f"{path}, line {line}"
        if len(cells) != len(header):
            raise DataError(f"{where}: found {len(cells)} cells, the header has {len(header)}")
        if class_at is not None and not cells[class_at]:
            raise DataError(f"{where}, column {label!r}: found an empty cell, allowed: a label")
        found.append(Document(where, cells[at], None if class_at is None else cells[class_at]))
    return found
