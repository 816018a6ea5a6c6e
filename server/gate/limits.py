# SPDX-License-Identifier: Apache-2.0
"""What one peer may cost the gate: bytes, seconds, connections."""

from dataclasses import dataclass

_KIB = 1024


@dataclass(frozen=True)
class Limits:
    """Bounds for a federation of so many silos.

    A connection is a *stranger's* until a request on it carries the signature of a registered key, and that
    silo's from then on. Strangers are counted by address, silos by key: so silos behind one address (NAT) do
    not stand in each other's way, and no number of strangers stands in theirs.

    Attributes:
        silos: How many silos the federation has.
        header_bytes: Longest request line and header lines together. Flower sends about 1 KiB.
        body_bytes: Largest body, and most that one silo has under way at a time. Flower cuts arrays into
            objects of 5 MiB and sends two at a time.
        handshake_seconds: For TCP's and TLS's first words.
        header_seconds: For a stranger's whole header.
        quiet_seconds: For the next 64 KiB, or the end, of a body or of what we send.
        request_seconds: For a request and its answer together.
        idle_seconds: Between two requests of a silo; longer than Flower keeps an idle connection (5 s).
        closing_seconds: For a peer to read a refusal, and to say goodbye.
        connections_a_silo: Most connections with one key; a SuperNode opens about six.
    """

    silos: int
    header_bytes: int = 16 * _KIB
    body_bytes: int = 64 * _KIB**2
    handshake_seconds: float = 10.0
    header_seconds: float = 10.0
    quiet_seconds: float = 30.0
    request_seconds: float = 900.0
    idle_seconds: float = 15.0
    closing_seconds: float = 2.0
    connections_a_silo: int = 12

    @property
    def strangers_an_address(self) -> int:
        """Most connections of one address without a signed request: all silos behind it may come at once."""
        return 16 + 4 * self.silos

    @property
    def strangers(self) -> int:
        """Most connections without a signed request in all."""
        return 16 * self.strangers_an_address

    @property
    def files(self) -> int:
        """Most open files: all connections, one to the SuperLink for each of a silo's, some of our own."""
        return self.strangers + 2 * self.silos * self.connections_a_silo + 64
