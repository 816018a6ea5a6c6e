# SPDX-License-Identifier: Apache-2.0
"""Documents as bags of hashed words: numbers on which selection bias can be studied, not a language model.

A document becomes a fixed number of columns: each word adds 1 or takes 1 from the column that a public hash
names, and the row is scaled to length 1. Nothing is fitted, so every silo gets the same columns without
anybody's words being shared. Order and sense of the words are lost, several words share a column, and a
generator's samples are such vectors: they cannot be turned back into sentences.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tailweave.clients.data.csv_table import csv_records
from tailweave.clients.data.folders import files_by_class
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.utf8 import read_utf8
from tailweave.clients.samples import DataError, Numbers, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.hashed_text import HashedText

_ALLOWED = "a folder of .txt files, a .txt with a document a line, or a .csv with text-column"


class _Document(NamedTuple):
    where: str
    text: str
    label: str | None


def read_documents(
    path: str | Path, columns: int, *, column: str | None = None, label: str | None = None
) -> Samples:
    """Read documents and hash their words into columns.

    Args:
        path: A folder of .txt files, all in itself (no classes) or all in its sub-folders (the classes); a
            .txt file with a document a line; or a .csv, of which only ``column`` and ``label`` are read.
        columns: Number of columns p, at least 2.
        column: Name of the CSV's column of documents; for a CSV only.
        label: Name of the CSV's column of classes, if any; for a CSV only.

    Returns:
        A row a document, of Euclidean length 1. Words are two or more letters, digits or underscores in a
        row, in small letters.

    Raises:
        DataError: Naming file, line, what was found and what is allowed.

    Source:
        Weinberger et al. (2009), Feature Hashing for Large Scale Multitask Learning, ICML: eq. (1), signed
        hashes.
    """
    path = Path(path)
    try:
        found = _documents(path, column, label)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(found) < 2:
        raise DataError(f"{path}: expected at least 2 documents, found {len(found)}")
    from sklearn.feature_extraction.text import HashingVectorizer  # slow to import

    words = HashingVectorizer(n_features=columns, norm="l2", alternate_sign=True)
    values = words.transform([document.text for document in found]).toarray()  # (n, p)
    wordless = np.flatnonzero(~values.any(axis=1))
    if len(wordless):
        where = found[wordless[0]].where
        raise DataError(f"{where}: found no word of two letters or more, allowed: documents with words")
    labels = None if found[0].label is None else np.array([document.label for document in found])
    names = tuple(f"words{place}" for place in range(columns))
    return Samples.of(values.astype(np.float64), labels, Numbers(names, hashed=True))


def _documents(path: Path, column: str | None, label: str | None) -> list[_Document]:
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


def _files(folder: Path) -> list[_Document]:
    files, labels = files_by_class(folder, (".txt",), "documents")
    classes: Sequence[str | None] = labels or [None] * len(files)
    return [_Document(str(file), read_utf8(file), name) for file, name in zip(files, classes, strict=True)]


def _lines(path: Path) -> list[_Document]:
    lines = read_utf8(path).rstrip().split("\n")  # splitlines would also cut at form feeds and the like
    return [] if lines == [""] else [_Document(f"{path}, line {i}", x, None) for i, x in enumerate(lines, 1)]


def _cells(path: Path, column: str | None, label: str | None) -> list[_Document]:
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
        found.append(_Document(where, cells[at], None if class_at is None else cells[class_at]))
    return found


@implements(HashedText)
def load(spec: HashedText, *, seed: int) -> Samples:
    """Read all documents."""
    return read_documents(spec.path, spec.columns, column=spec.text_column, label=spec.label)
