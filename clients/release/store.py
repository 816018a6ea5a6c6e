# SPDX-License-Identifier: Apache-2.0
"""One release a data version and question, kept to be sent again byte for byte."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tailweave.clients import storage
from tailweave.protocols.arrays import MAX_ARRAY_BYTES, Floats
from tailweave.protocols.npz import write_npz

_NAME = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})\.npz")


@dataclass(frozen=True)
class Kept:
    """A stored release, and the SHA-256 of its file, 64 hex digits."""

    arrays: dict[str, Floats]
    payload: str


@dataclass(frozen=True)
class Store:
    """A folder of releases; names come from digests only, never from what a server wrote."""

    folder: Path

    def save(self, version: str, request: str, arrays: Mapping[str, Floats], *, lasting: bool = True) -> Kept:
        """Keep a release, durably unless it need not be ``lasting``, and return it as it was read back.

        Raises:
            StorageError: If it cannot be read back.
        """
        write_npz(self._path(version, request), arrays, mode=0o600, lasting=lasting)
        kept = self.load(version, request)
        if kept is None:
            raise storage.StorageError(f"{self._path(version, request)}: vanished while it was written")
        return kept

    def load(self, version: str, request: str) -> Kept | None:
        """Return a stored release, or None.

        Raises:
            StorageError: If it cannot be read back.
        """
        path = self._path(version, request)
        if not path.exists():
            return None
        kept = storage.load(path, most_bytes=MAX_ARRAY_BYTES)
        return Kept(kept, hashlib.sha256(path.read_bytes()).hexdigest())

    def held(self) -> frozenset[tuple[str, str]]:
        """Return (data version, request) of every stored release."""
        names = [_NAME.fullmatch(path.name) for path in self.folder.glob("*.npz")]
        return frozenset((found[1], found[2]) for found in names if found)

    def _path(self, version: str, request: str) -> Path:
        name = f"{version}-{request}.npz"
        if not _NAME.fullmatch(name):
            raise ValueError(f"a release is named by two digests of 64 hex digits, got {name[:140]!r}")
        return self.folder / name
