# SPDX-License-Identifier: Apache-2.0
"""Text as it stands in a file."""

from pathlib import Path

from tailweave.clients.samples import DataError


def read_utf8(path: Path) -> str:
    """Return a file's text without a byte-order mark.

    Args:
        path: An existing file.

    Returns:
        The text; ends of lines are as in the file.

    Raises:
        DataError: Naming the line of the first byte that is not UTF-8.
    """
    return decoded(path, path.read_bytes())


def decoded(path: Path, raw: bytes) -> str:
    """Return the text of bytes that ``path`` holds; raises ``DataError`` as ``read_utf8`` does."""
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        likely = "UTF-16" if b"\0" in raw[:4] else "WINDOWS-1252"
        raise DataError(f"{path}, line {line}: {_remedy(path, likely)}") from error
    if b"\0" in raw[:4]:
        raise DataError(f"{path}, line 1: {_remedy(path, 'UTF-16')}")
    return text


def _remedy(path: Path, likely: str) -> str:
    return (
        f"found bytes that are not UTF-8; save it as UTF-8: its encoding may be {likely}, then "
        f"`iconv -f {likely} -t UTF-8 {path.name} > NEW` does it"
    )
