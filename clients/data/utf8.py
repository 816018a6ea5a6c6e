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
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: found bytes that are not UTF-8; save it as UTF-8") from error
