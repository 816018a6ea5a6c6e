# SPDX-License-Identifier: Apache-2.0
"""What is tried against releases for one kind of reference, found through the kind's spec.

A kind of tailweave has its attacks in the file of its name, one of another package in the module of its spec;
both say so by ``@implements(TheSpec, part="attack")``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Generic, TypeVar

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


class Attacks(Generic[Released]):
    """Attacks on what comes through a channel; all but ``read`` are tried only where a kind has them.

    Attributes:
        channel: The release under audit.
        rebuilds: Name of the attack that rebuilds all rows of a tiny silo; empty if there is none.
    """

    rebuilds: ClassVar[str] = ""

    def __init__(self, channel: Channel) -> None:
        """Attack this channel."""
        self.channel = channel

    def read(self, sent: Released) -> Floats:
        """Guess rows from one release: shape (g, d), feature units."""
        raise NotImplementedError

    def added(self, before: Released, after: Released) -> Floats | None:
        """Guess the row that ``after`` holds and ``before`` does not: shape (1, d)."""
        return None

    @property
    def takes_long(self) -> bool:
        """Whether rebuilding takes too long to be tried on what no silo has sent."""
        return False

    def rebuilt(self, sent: Released, count: float, rng: np.random.Generator) -> Floats:
        """Guess all ``count`` rows of a tiny silo: shape (count, d)."""
        raise NotImplementedError

    def membership(
        self, suspects: Floats, auxiliary: Floats, rows: int, rng: np.random.Generator
    ) -> Callable[[Released], Floats] | None:
        """Prepare to say which of the suspects (c, d) are among the rows of a silo.

        Args:
            suspects: Rows that may be in it.
            auxiliary: Rows that the attacker owns, from the same population.
            rows: How many the silo holds; the attacker knows it.
            rng: Stream of the attack.

        Returns:
            What scores them by a release: shape (variants, c), higher means "member".
        """
        return None

    def numbers(self, sent: Released, near: Floats) -> Floats:
        """Return as many numbers of a release as always; those that a row ``near`` (d,) moves, at least."""
        return np.concatenate([array.ravel() for array in sent.arrays().values()])

    def canaries(self, z: float, rows: Floats, runs: int) -> list[Look]:
        """Return the rows by which the code path is judged, the one that is reported first.

        By default an absurd row: it shows unless it is clipped or capped.
        """
        return [(rows, self.absurd, Canary(0.0, 0.0, runs, 1.0 / z))]

    @property
    def absurd(self) -> Floats:
        """A row a thousand public radii away, shape (d,)."""
        return self.channel.space.center + _FAR * self.channel.space.scale

    def noise(self, sent: Released, rows: Floats) -> Floats | None:
        """Return the noise that a simulation, which knows the rows (n, d), finds in a linear sum."""
        return None

    def promises(self, sent: Sequence[Released]) -> Iterator[Promise]:
        """Look up what the kind's own settings promise."""
        yield from ()


def attacks_on(channel: Channel) -> Attacks[Any] | None:
    """Return the attacks on a channel, or None if its kind of reference names none."""
    found: type[Attacks[Any]] | None = implemented(
        channel.spec, channel.spec.kind, __package__, part="attack"
    )
    return found(channel) if found else None


def untried(channel: Channel) -> str:
    """Say that nothing was tried."""
    return f"reference {channel.spec.kind} names no attack: nothing was tried, and nothing is shown"
