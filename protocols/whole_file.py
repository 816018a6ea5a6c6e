# SPDX-License-Identifier: Apache-2.0
"""The one way to replace a file: whoever reads it, whenever, finds all of the old bytes or all of the new."""

import os
import secrets
from pathlib import Path


def write_whole(
    path: Path, content: bytes | memoryview | str, *, mode: int | None = None, lasting: bool = True
) -> None:
    """Write a file beside its target, wait for the disk to have it, then give it the target's name.

    A killed process or a power cut leaves the old file or this one; when this returns the disk has it.
    Processes may write one file at once: the last one stays.

    Args:
        path: Target; its folder exists.
        content: The new bytes; text is written as UTF-8, its newlines as they are.
        mode: Permissions, from the first byte on, whatever the umask; None for what the umask leaves.
        lasting: False does not wait for the disk: for what is written often and may be lost in a power cut.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")  # pids repeat in other containers
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(handle, "wb") as file:
            if mode is not None:
                os.fchmod(handle, mode)
            file.write(content.encode() if isinstance(content, str) else content)
            if lasting:
                file.flush()
                os.fsync(handle)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if lasting:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in this folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
