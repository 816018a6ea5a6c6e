# SPDX-License-Identifier: Apache-2.0
"""Weights in one safetensors file, written so that a killed process leaves the old file or the new one."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.neural.extra import neural
from tailweave.clients.storage import StorageError, private_folder

Weights = dict[str, NDArray[np.generic]]


def save_weights(path: Path, arrays: Mapping[str, NDArray[np.generic]], note: Mapping[str, str]) -> None:
    """Write arrays atomically, readable by their owner only.

    Args:
        path: Target, ``*.safetensors``; its folder is made.
        arrays: By name.
        note: Text for the file's header.
    """
    private_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=0o600)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    neural("safetensors.numpy").save_file(whole, str(part), metadata=dict(note))
    part.chmod(0o600)  # should it have been made anew
    os.replace(part, path)


def load_weights(path: Path) -> tuple[Weights, dict[str, str]]:
    """Read what ``save_weights`` wrote: the arrays, and the note.

    Raises:
        StorageError: If the file is missing, truncated or not of this kind.
    """
    safetensors = neural("safetensors")
    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - not a dict
    except (OSError, safetensors.SafetensorError) as error:
        raise StorageError(f"{path}: cannot be read back ({error}); delete it to start again") from None
