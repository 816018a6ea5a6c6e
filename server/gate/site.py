# SPDX-License-Identifier: Apache-2.0
"""Where a gate stands: its port, its certificate, the SuperLink behind it, and whose keys it knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Site:
    """What the gate is told by whoever keeps the federation's folder.

    Attributes:
        host: Address to listen on.
        port: The open port.
        superlink: Host and port of the SuperLink, which only this host reaches.
        ca: Certificate of the CA that has signed the SuperLink's, which is the gate's too.
        certificate: The certificate, and below it those between it and the CA's.
        private_key: Its key, without a passphrase.
        silos: Path of each silo's public key.
        file: What ``silos`` was read from.
        again: Reads the site anew; raises ``ValueError`` while somebody is editing it.
    """

    host: str
    port: int
    superlink: tuple[str, int]
    ca: Path
    certificate: Path
    private_key: Path
    silos: Mapping[str, Path]
    file: Path
    again: Callable[[], "Site"]
