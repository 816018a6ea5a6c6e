# SPDX-License-Identifier: Apache-2.0
"""Named arrays in one file, written so that a killed process leaves the old file or the new one."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.arrays import Floats
from protocols.npz import MOST_BYTES, NpzError, read_npz


class StorageError(ValueError):
    """A stored file that cannot be read back; the message names it and the remedy."""


def save(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays atomically: a temporary file beside ``path``, then a rename.

    Args:
        path: Target, usually ``*.npz``; its folder is made.
        arrays: By name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(buffer.getbuffer())
    os.replace(part, path)


def load(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, Floats]:
    """Read what ``save`` wrote.

    Args:
        path: The file.
        most_bytes: Of one array.

    Returns:
        Arrays by name.

    Raises:
        StorageError: If the file is missing, truncated, or holds anything but plain arrays.
    """
    try:
        return read_npz(path, most_bytes=most_bytes)
    except (OSError, NpzError) as error:
        raise StorageError(f"{path}: cannot be read back ({error}); delete it to start again") from None
