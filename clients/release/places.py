# SPDX-License-Identifier: Apache-2.0
"""Where a silo's rows lie, and whether it is still the same that lies there: cheap enough for a message."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM_LEDGERS = Path("/var/lib/tailweave/ledgers")
VARIABLE = "TAILWEAVE_LEDGERS"


@dataclass(frozen=True)
class Place:
    """A file or folder of rows.

    Attributes:
        path: Absolute, all links followed.
        folder: Inode of the folder that it is in: in containers the paths of several kits may be the same.
        stamp: Digest of sizes and times of what lies there, and of how it is read; 64 hex digits.
    """

    path: str
    folder: int
    stamp: str


@dataclass(frozen=True)
class Own:
    """What a real node says of its rows.

    Attributes:
        ledgers: The host's folder, for all data sets and all federations.
        state: The kit's state folder.
        silo: Name of the silo; a new data set is named after it.
        place: Where its rows lie.
        chosen: The data set that the owner named in ``node.yaml``, if any.
    """

    ledgers: Path
    state: Path
    silo: str
    place: Place
    chosen: str | None = None

    @property
    def memory(self) -> Path:
        """Where the kit's witnesses are."""
        return self.state / "releases"


def place_of(path: Path, read_as: str) -> Place:
    """Return where a file or folder of rows is, and its stamp, without opening it.

    Settings under which it is read differently give other rows.

    Raises:
        OSError: If it is not there.
    """
    real = Path(os.path.realpath(path))
    total = hashlib.sha256(read_as.encode())
    for name, size, changed in _files(real):
        total.update(f"|{name}|{size}|{changed}".encode("utf-8", "surrogateescape"))
    return Place(str(real), real.parent.stat().st_ino, total.hexdigest())


def _files(path: Path) -> Iterator[tuple[str, int, int]]:
    if not path.is_dir():
        found = path.stat()
        yield "", found.st_size, found.st_mtime_ns
        return
    for folder, folders, names in os.walk(path, followlinks=True):
        folders.sort()
        for name in sorted(names):
            found = os.stat(os.path.join(folder, name))
            yield os.path.relpath(os.path.join(folder, name), path), found.st_size, found.st_mtime_ns


def default_ledgers() -> Path:
    """Return the folder in which this host's ledgers lie when nobody says where.

    Returns:
        What the environment names, else the system's folder where this user may write there, else one in the
        user's own state folder.

    Raises:
        ValueError: If the environment names no absolute path.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not os.path.isabs(named):
            raise ValueError(f"{VARIABLE} must be an absolute path, got {named!r}")
        return Path(named)
    there = next(place for place in (SYSTEM_LEDGERS, *SYSTEM_LEDGERS.parents) if place.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return SYSTEM_LEDGERS
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "tailweave/ledgers"
