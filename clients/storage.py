# SPDX-License-Identifier: Apache-2.0
"""Named arrays in one file, written so that a killed process leaves the old file or the new one.

What a node keeps may hold rows, or what was made of them: files are mode 600, folders 700.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.npz import MOST_BYTES, NpzError, read_npz, write_npz


class StorageError(ValueError):
    """A stored file that cannot be read back; the message names it and the remedy."""


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may look into, and so those above it that are missing.

    ``mkdir(parents=True)`` would give its mode to the last of them only. What exists keeps its mode.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


def save(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write arrays, whole or not at all, into a folder that is made; a power cut may still lose them."""
    private_folder(path.parent)
    write_npz(path, arrays, mode=0o600, lasting=False)


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
