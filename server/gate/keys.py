# SPDX-License-Identifier: Apache-2.0
"""The keys of the federation's silos, as its folder has them now: a new one needs no restart of the gate."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tailweave.protocols.node_keys import NodeKeyError, public_key
from tailweave.server.gate.site import Site

logger = logging.getLogger("tailweave.gate")

Known = tuple[str, ec.EllipticCurvePublicKey]
Stamp = tuple[int, int, int]
_SECONDS = 1.0
"""Files are looked at no more often than this."""


class KnownKeys:
    """Silos and their keys, by the text that Flower sends: PEM, as its SuperLink compares it too."""

    def __init__(self, site: Site) -> None:
        """Read the keys that are there; a silo whose key is missing is shut out until it comes."""
        self._site = site
        self._silos: dict[bytes, Known] = {}
        self._stamps: dict[Path, Stamp | None] = {}
        self._looked_at = -_SECONDS
        self._refresh()

    def find(self, presented: bytes) -> Known | None:
        """Return the silo of a key, and the key, or None: nothing of what is presented is parsed."""
        self._refresh()
        return self._silos.get(presented)

    def _refresh(self) -> None:
        if time.monotonic() - self._looked_at < _SECONDS:
            return
        self._looked_at = time.monotonic()
        stamps = self._look()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            self._site = self._site.again()
        except ValueError as error:  # somebody is editing it
            logger.warning("the silos' keys stay as they were: %s", error)
            return
        self._stamps = self._look()  # it may name other files than before
        self._silos = dict(self._read())

    def _look(self) -> dict[Path, Stamp | None]:
        return {path: _stamp(path) for path in (self._site.file, *self._site.silos.values())}

    def _read(self) -> Iterator[tuple[bytes, Known]]:
        for silo, path in self._site.silos.items():
            try:
                key = public_key(path.read_bytes())
            except (OSError, NodeKeyError) as error:
                logger.warning("silo %s is shut out: %s: %s", silo, path, error)
                continue
            pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            yield key.public_bytes(*pem), (silo, key)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
