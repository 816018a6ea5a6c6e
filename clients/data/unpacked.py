# SPDX-License-Identifier: Apache-2.0
"""The bytes of a file, packed by gzip or not."""

import gzip
import zlib
from pathlib import Path

from tailweave.clients.samples import DataError
from tailweave.protocols.npz import GIB, MOST_BYTES, NpzError, check_ratio

_CHUNK = 2**20


def unpacked(path: Path) -> bytes:
    """Return what a file holds; one whose name ends in ``.gz`` is unpacked, no further than is reasonable.

    Args:
        path: An existing file.

    Raises:
        DataError: If it is damaged, or unpacks to more than fits, in all or for its length.
        OSError: If it may not be read.
    """
    if path.suffix.lower() != ".gz":
        return path.read_bytes()
    packed, size, parts = path.stat().st_size, 0, []
    try:
        with gzip.open(path) as file:
            while part := file.read(_CHUNK):
                size += len(part)
                if size > MOST_BYTES:
                    raise DataError(f"{path}: holds more than {MOST_BYTES // GIB} GiB, allowed: as much")
                check_ratio(size, packed)
                parts.append(part)
    except (gzip.BadGzipFile, EOFError, zlib.error, NpzError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    return b"".join(parts)
