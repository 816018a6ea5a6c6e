# SPDX-License-Identifier: Apache-2.0
"""Finding and killing one process of a run, by what it is and whose child it is; never by a name alone."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path


def parents() -> dict[int, int]:
    """Each process's parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(path.parent.name)] = int(fields[1])
    return found


def below(ancestor: int) -> Iterator[int]:
    """All descendants of a process, in no order."""
    tree = parents()
    for process in tree:
        up = process
        while up in tree and up != ancestor:
            up = tree[up]
        if up == ancestor and process != ancestor:
            yield process


def command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def find(ancestor: Callable[[], int | None], word: str) -> int | None:
    """The process below ``ancestor`` whose command line has ``word``; of several the youngest."""
    root = ancestor()
    found = [] if root is None else [process for process in below(root) if word in command(process)]
    return max(found, default=None)


def of_file(path: Path) -> Callable[[], int | None]:
    """The process that a file names."""

    def read() -> int | None:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            return None

    return read


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
