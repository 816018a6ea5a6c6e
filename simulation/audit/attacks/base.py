# SPDX-License-Identifier: Apache-2.0
"""What is tried against releases for one kind of reference: ``@implements(TheSpec, part="attack")``.

A kind of tailweave has its attacks in the file of its name, one of another package in the module of its spec.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implemented
from tailweave.protocols.references import Summary
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import Canary, Promise

Released = TypeVar("Released", bound=Summary)
Look = tuple[Floats, Floats, Canary]
"""Other rows (n, d), the canary (d,), and what the noise allows, with nothing seen yet."""
_FAR = 1e3


class Attacks(ABC, Generic[Released]):
    """Attacks on what comes through a channel; all but ``read`` are tried only where a kind has them."""

    def __init__(self, channel: Channel) -> None:
        """Attack this channel."""
        self.channel, self.space = channel, channel.space
        self.absurd: Floats = self.space.center + _FAR * self.space.scale  # (d,)

    @abstractmethod
    def read(self, sent: Released) -> Floats:
        """Guess rows from one release: shape (g, d), feature units."""

    def added(self, before: Released, after: Released) -> Floats | None:
        """Guess the row that ``after`` holds and ``before`` does not: shape (1, d)."""
        return None

    def rebuilds(self, *, quick: bool) -> str:
        """Name the attack that rebuilds all rows of a tiny silo, if there is one (that is quick)."""
        return ""

    def rebuilt(self, sent: Released, count: float, rng: np.random.Generator) -> Floats:
        """Guess all ``count`` rows of a tiny silo: shape (count, d)."""
        return self.read(sent)

    def membership(
        self, suspects: Floats, auxiliary: Floats, rows: int, rng: np.random.Generator
    ) -> Callable[[Released], Floats] | None:
        """Prepare to say which suspects (c, d) are among a silo's ``rows`` rows.

        Returns:
            What scores them by a release, shape (variants, c), higher for members. The attacker owns
            ``auxiliary`` rows of the same population.
        """
        return None

    def numbers(self, sent: Released, near: Floats) -> Floats:
        """Return always as many numbers of a release, among them those that a row ``near`` (d,) moves."""
        return np.concatenate([array.ravel() for array in sent.arrays().values()])

    def canaries(self, z: float, rows: Floats, runs: int) -> list[Look]:
        """Return by what the code path is judged: an absurd row, which shows unless it is capped."""
        return [(rows, self.absurd, Canary(0.0, 0.0, runs, 1.0 / z))]

    def noise(self, sent: Released, rows: Floats) -> Floats | None:
        """Return the noise that a simulation, which knows the rows (n, d), finds in a linear sum."""
        return None

    def promises(self, sent: Sequence[Released]) -> Iterator[Promise]:
        """Look up what the kind's own settings promise."""
        yield from ()


def attacks_on(channel: Channel) -> Attacks[Any] | None:
    """Return the attacks on a channel, or None if its kind of reference names none."""
    kind = channel.spec.kind
    found: type[Attacks[Any]] | None = implemented(channel.spec, kind, __package__, part="attack")
    return found(channel) if found else None


def untried(channel: Channel) -> str:
    """Say that nothing was tried."""
    return f"reference {channel.spec.kind} names no attack: nothing was tried, and nothing is shown"
