# SPDX-License-Identifier: Apache-2.0
"""A base generator in a file that every node has: an NPZ of plain arrays, agreed on by its digest."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.npz import NpzError, read_npz, write_npz

_KIND = "kind"


def save_base(path: Path, kind: str, arrays: Mapping[str, Floats]) -> None:
    """Write the parameters of a generator into a file whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(path, {_KIND: np.array(kind, dtype=np.str_), **arrays})


def load_base(path: Path) -> tuple[str, dict[str, Floats]]:
    """Read what ``save_base`` wrote.

    Returns:
        Kind of the generator, and its parameters by name.

    Raises:
        ValueError: If the file is missing or not such a file, or holds anything but finite floats.
    """
    try:
        arrays = read_npz(path)
    except (OSError, NpzError) as error:
        raise ValueError(f"{path}: not a readable base generator: {error}") from None
    found = arrays.pop(_KIND, None)
    if found is None or found.dtype.kind != "U" or found.shape != ():
        raise ValueError(f"{path}: not a base generator: it does not say of which kind it is")
    wrong = [
        n for n, a in arrays.items() if a.dtype not in (np.float64, np.float32) or not np.isfinite(a).all()
    ]
    if wrong or not arrays:
        raise ValueError(
            f"{path}: a base generator holds finite arrays of float64 or float32, got {wrong[:8] or 'none'}"
        )
    return str(found), arrays


def base_digest(kind: str, arrays: Mapping[str, Floats]) -> str:
    """Return what nodes compare to agree that they have the same base.

    Returns:
        SHA-256 of kind, names, shapes and values, 64 hex digits; how the file was packed does not matter.
    """
    digest = hashlib.sha256(kind.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"|{name}|{','.join(map(str, array.shape))}|".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()
