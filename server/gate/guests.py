# SPDX-License-Identifier: Apache-2.0
"""Who is connected, and who must go when there are too many."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tailweave.server.gate.limits import Limits
from tailweave.server.gate.refused import Refused


class Guest:
    """One connection, from the moment it is accepted."""

    def __init__(self, address: str) -> None:
        """Begin as a stranger; ``task`` is set by whoever talks to it."""
        self.address = address
        self.silo: str | None = None
        self.busy = False
        self.task: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Let it go at once, whatever it is at."""
        if self.task is not None:
            self.task.cancel()


class Guests:
    """All connections: strangers by address, the rest by silo; both in the order of their last request."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nobody."""
        self._limits = limits
        self._strangers: dict[str, dict[Guest, None]] = {}
        self._silos: dict[str, dict[Guest, None]] = {}
        self._under_way: Counter[str] = Counter()
        self.sent_away = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(map(len, (*self._strangers.values(), *self._silos.values())))

    def all(self) -> list[Guest]:
        """Return them."""
        return [guest for group in (*self._strangers.values(), *self._silos.values()) for guest in group]

    def admit(self, address: str) -> Guest:
        """Take in a stranger; if there are too many, the oldest of its own or of the fullest address goes.

        The newest stays: whoever has a key shows it within a moment, and is then counted no longer.
        """
        own = self._strangers.get(address, {})
        if len(own) >= self._limits.strangers_an_address:
            self._send_away(next(iter(own)))
        elif sum(map(len, self._strangers.values())) >= self._limits.strangers:
            self.make_room()
        guest = Guest(address)
        self._strangers.setdefault(address, {})[guest] = None
        return guest

    def make_room(self) -> None:
        """Send the oldest stranger of the address that has most of them away, if there is any."""
        if self._strangers:
            fullest = max(self._strangers, key=lambda address: len(self._strangers[address]))
            self._send_away(next(iter(self._strangers[fullest])))

    def recognise(self, guest: Guest, silo: str) -> None:
        """File a guest under the silo whose key has signed its request.

        Raises:
            Refused: If that silo has as many connections as it may, all of them at work.
        """
        others = [other for other in self._silos.get(silo, {}) if other is not guest]
        if len(others) >= self._limits.connections_a_silo:
            idle = next((other for other in others if not other.busy), None)
            if idle is None:
                raise Refused(503, f"a silo has at most {len(others)} connections")
            self._send_away(idle)
        self.leave(guest)
        guest.silo = silo
        self._silos.setdefault(silo, {})[guest] = None

    @contextmanager
    def carrying(self, guest: Guest, size: int) -> Iterator[None]:
        """Count a silo's request of ``size`` bytes as under way, for as long as the context lasts.

        Raises:
            Refused: If the silo has too much under way already.
        """
        silo = guest.silo or ""
        if self._under_way[silo] + size > self._limits.body_bytes:
            raise Refused(503, f"a silo may have {self._limits.body_bytes} bytes under way")
        self._under_way[silo] += size
        guest.busy = True
        try:
            yield
        finally:
            guest.busy = False
            self._under_way[silo] -= size

    def leave(self, guest: Guest) -> None:
        """Forget a guest."""
        groups, name = (self._strangers, guest.address) if guest.silo is None else (self._silos, guest.silo)
        group = groups.get(name, {})
        group.pop(guest, None)
        if not group:
            groups.pop(name, None)

    def _send_away(self, guest: Guest) -> None:
        self.sent_away += 1
        self.leave(guest)  # now: its task ends only when the loop comes to it
        guest.close()
