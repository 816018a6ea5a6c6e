# SPDX-License-Identifier: Apache-2.0
"""Documents from JSON lines: an object a line, with the text under one key, perhaps a group under another."""

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tailweave.clients.data.documents import Document, as_text, enough, in_groups
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.utf8 import decoded
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.jsonl import DEFAULT_TEXT, JsonLines
from tailweave.protocols.npz import GIB

_ENDINGS = (".jsonl", ".jsonl.gz")
MOST_BYTES = GIB
"""Of a file, unpacked."""
_CALLED = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def is_jsonl(path: Path) -> bool:
    """Tell whether a file is one of JSON lines, by its name."""
    return path.name.lower().endswith(_ENDINGS)


def read_jsonl(path: str | Path, *, text: str = DEFAULT_TEXT, group: str | None = None) -> list[Document]:
    """Read a document a line; blank lines may stand at the end.

    Args:
        path: A .jsonl or .jsonl.gz of at most 1 GiB unpacked.
        text: Key of the document.
        group: Key of its group, text or a whole number; None if there are none.

    Returns:
        At least 2 documents; all have a label, or none has.

    Raises:
        DataError: Naming file, line, what was found and what is allowed.
    """
    path = Path(path)
    if not is_jsonl(path):
        raise DataError(f"{path}: the name must end in {' or '.join(_ENDINGS)}")
    if path.is_dir():
        raise DataError(f"{path}: found a directory, allowed: a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file (looked for {path.absolute()})")
    lines = decoded(path, _unpacked(path)).rstrip().split("\n")
    if lines == [""]:
        raise DataError(f"{path}: the file is empty; allowed: an object such as {_example(text)} a line")
    return enough(
        path, [_document(f"{path}, line {at}", line, text, group) for at, line in enumerate(lines, 1)]
    )


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(found) > MOST_BYTES:
        raise DataError(f"{path}: holds more than {MOST_BYTES // GIB} GiB, allowed: as much; split it")
    return found


def _document(where: str, line: str, text: str, group: str | None) -> Document:
    found = _object(where, line, text)
    document = _of_key(where, found, text)
    if not isinstance(document, str):
        raise DataError(f"{where}, key {text!r}: found {_called(document)}, allowed: text")
    if not document.strip():
        raise DataError(f"{where}, key {text!r}: found a blank document, allowed: documents with words")
    _check_characters(where, text, document)
    return Document(where, document, None if group is None else _label(where, found, group))


def _object(where: str, line: str, text: str) -> dict[str, Any]:
    allowed = f"allowed: an object such as {_example(text)}"
    if not line.strip():
        raise DataError(f"{where}: found a blank line; only the end may be blank")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        at = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        reason = getattr(error, "msg", None) or error
        raise DataError(f"{where}: found no JSON ({reason}{at}), {allowed}") from error
    if not isinstance(found, dict):
        raise DataError(f"{where}: found {_called(found)}, {allowed}")
    return found


def _of_key(where: str, found: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - whatever JSON has there
    if key not in found:
        raise DataError(f"{where}: {unknown_name('key', key, list(found))}")
    return found[key]


def _label(where: str, found: Mapping[str, Any], key: str) -> str:
    label = _of_key(where, found, key)
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise DataError(f"{where}, key {key!r}: found {_called(label)}, allowed: text or whole numbers")
    named = str(label).strip()
    if not named:
        raise DataError(f"{where}, key {key!r}: found a blank group, allowed: text or whole numbers")
    _check_characters(where, key, named)
    return named


def _check_characters(where: str, key: str, text: str) -> None:
    """Refuse halves of characters, which JSON can spell and UTF-8 cannot."""
    half = next((mark for mark in text if "\ud800" <= mark <= "\udfff"), None)
    if half is not None:
        raise DataError(
            f"{where}, key {key!r}: found half a character (\\u{ord(half):x}), allowed: whole ones"
        )


def _called(value: object) -> str:
    return _CALLED.get(type(value), f"the number {str(value)[:20]}")


def _example(text: str) -> str:
    return json.dumps({text: "..."}, ensure_ascii=False)


@implements(JsonLines)
def load(spec: JsonLines, *, seed: int) -> Samples:
    """Read all documents."""
    return in_groups(spec.path, as_text(read_jsonl(spec.path, text=spec.text, group=spec.group)))
