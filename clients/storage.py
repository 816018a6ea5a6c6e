# SPDX-License-Identifier: Apache-2.0
"""Named arrays in one file, written so that a killed process leaves the old file or the new one.

What a node keeps may hold rows, or what was made of them: files are mode 600, folders 700.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.npz import MOST_BYTES, NpzError, read_npz


class StorageError(ValueError):
    """A stored file that cannot be read back; the message names it and the remedy."""


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may look into, and so those above it that are missing.

    ``mkdir(parents=True)`` would give its mode to the last of them only. What exists keeps its mode.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, content: bytes | memoryview) -> None:
    """Replace a file by one that only its owner may read: a temporary one beside it, then a rename.

    Args:
        path: Target; its folder exists.
        content: The new bytes.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)  # one that a process of the same number left may have another mode
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(part, path)


def save(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays atomically: a temporary file beside ``path``, then a rename.

    Args:
        path: Target, usually ``*.npz``; its folder is made.
        arrays: By name.
    """
    private_folder(path.parent)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    write_private(path, buffer.getbuffer())


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
