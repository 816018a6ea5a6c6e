# SPDX-License-Identifier: Apache-2.0
"""Labelled documents in fastText's format: a line each, its label in front."""

import bz2
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tailweave.clients.data.documents import Document, as_text, enough, in_groups
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.fasttext import FastText
from tailweave.protocols.npz import GIB

MOST_BYTES = GIB
"""Read of a file, unpacked: twice the 800,000 longest reviews."""
_ALLOWED = "allowed: '__label__2 text' on each line"
_LABEL = re.compile(r"__label__(\S*)")


def read_fasttext(path: str | Path, *, rows: int | None = None) -> list[Document]:
    """Read a document a line; blank lines may stand at the end.

    Args:
        path: A file, packed if its name ends in .bz2.
        rows: Read only so many lines; None for all, of at most 1 GiB unpacked.

    Returns:
        At least 2 documents, each with its label, what follows ``__label__``.

    Raises:
        DataError: Naming file, line, what was found and what is allowed.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: found a directory, allowed: a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file (looked for {path.absolute()})")
    try:
        with bz2.open(path) if path.suffix.lower() == ".bz2" else path.open("rb") as file:
            return enough(path, list(_documents(path, file, rows)))
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _documents(path: Path, file: IO[bytes], rows: int | None) -> Iterator[Document]:
    read, blank = 0, 0
    for number, raw in enumerate(iter(lambda: file.readline(MOST_BYTES + 1), b""), start=1):
        if number - 1 == rows:
            return
        read += len(raw)
        if read > MOST_BYTES:
            raise DataError(
                f"{path}: holds more than {MOST_BYTES // GIB} GiB, allowed: as much; say in data.rows how "
                f"many lines are read (the first {number - 1} fit)"
            )
        if not raw.strip():
            blank = blank or number
            continue
        if blank:
            raise DataError(f"{path}, line {blank}: found a blank line; only the end may be blank")
        yield _document(f"{path}, line {number}", raw)


def _document(where: str, raw: bytes) -> Document:
    try:
        line = raw.decode("utf-8").removeprefix("\ufeff").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: found bytes that are not UTF-8; save it as UTF-8") from error
    head, *rest = line.split(maxsplit=1)
    label = _LABEL.fullmatch(head)
    if label is None:
        raise DataError(f"{where}: found no label but {head[:40]!r} in front, {_ALLOWED}")
    if not label[1]:
        raise DataError(f"{where}: found a label without a name, {_ALLOWED}")
    if not rest:
        raise DataError(f"{where}: found a label without a text, {_ALLOWED}")
    if _LABEL.match(rest[0]):
        raise DataError(f"{where}: found two labels, allowed: one on each line")
    return Document(where, rest[0], label[1])


@implements(FastText)
def load(spec: FastText, *, seed: int) -> Samples:
    """Read all documents, or the first."""
    return in_groups(spec.path, as_text(read_fasttext(spec.path, rows=spec.rows)))
