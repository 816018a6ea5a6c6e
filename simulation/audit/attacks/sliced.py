# SPDX-License-Identifier: Apache-2.0
"""Attacks on ``sliced``: invert the sketch of one row, flow into a tiny silo's, look for a row in the sum."""

import math
from collections.abc import Callable

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import cosine
from tailweave.protocols.references.sliced import SlicedSummary
from tailweave.simulation.audit.attacks.base import Attacks
from tailweave.simulation.audit.attacks.invert import row_of_sketch
from tailweave.simulation.audit.attacks.likelihood_ratio import Background, Suspects
from tailweave.simulation.audit.attacks.sliced_flow import sliced_flow
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.wire_noise import wire_noise

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
"""Ridges that the likelihood-ratio attacker tries; the best is reported, in the attacker's favour."""
_WIDEST = 32_768
"""Numbers of a sketch that the membership attacker looks at, to bound its memory; the first directions."""
_LARGEST_FLOW = 65_536


@implements(SlicedReference, part="attack")
class SketchAttacks(Attacks[SlicedSummary]):
    """Attacks on sums of known functions of rows."""

    def __init__(self, channel: Channel) -> None:
        """Attack a channel of this kind."""
        super().__init__(channel)
        if not isinstance(channel.spec, SlicedReference):
            raise ValueError(f"sketches exist for kind sliced only, got {channel.spec.kind}")
        self.spec = channel.spec

    def read(self, sent: SlicedSummary) -> Floats:
        """Guess the one row that would explain the mean sketch: of equal rows, that very row."""
        return row_of_sketch(sent.sums / sent.count, self.spec, self.space)

    def added(self, before: SlicedSummary, after: SlicedSummary) -> Floats:
        """Invert the difference, the sketch of one row: exact without noise (histograms: to half a bin)."""
        return row_of_sketch(after.sums - before.sums, self.spec, self.space)

    def rebuilds(self, *, quick: bool) -> str:
        """Name the flow of particles; a wide sketch takes long."""
        return "" if quick and math.prod(self.spec.shape) > _LARGEST_FLOW else "sliced flow"

    def rebuilt(self, sent: SlicedSummary, count: float, rng: np.random.Generator) -> Floats:
        """Let particles flow until their sketch is this one."""
        return sliced_flow(SlicedSummary(sent.sums, count), self.spec, self.space, rng=rng)

    def membership(
        self, suspects: Floats, auxiliary: Floats, rows: int, rng: np.random.Generator
    ) -> Callable[[SlicedSummary], Floats]:
        """Compare the sum with and without each suspect, by likelihood ratios."""
        prepared = Suspects.of(self.features(suspects), Background.of(self.features(auxiliary)))
        return lambda sent: prepared.scores(self.total(sent), rows, self.channel.noise_sd, RIDGES)

    def features(self, rows: Floats) -> Floats:
        """Return the functions of rows (n, d) that a sketch sums, uncapped: shape (n, p), p <= 32,768."""
        size = self.spec.shape[1]
        directions = self.space.directions(self.spec.directions)[: -(-_WIDEST // size)]
        positions = self.space.project(rows, directions, self.spec.range)  # (n, L)
        if self.spec.basis == "cosine":
            table = cosine.basis(positions, size)
        else:
            table = np.eye(size)[np.minimum((positions * size).astype(np.int64), size - 1)]
        found: Floats = table.reshape(len(rows), -1)[:, :_WIDEST]
        return found

    def total(self, sent: SlicedSummary) -> Floats:
        """Return the sums of ``features`` as they arrived, shape (p,)."""
        return sent.sums.ravel()[:_WIDEST]

    def noise(self, sent: SlicedSummary, rows: Floats) -> Floats:
        """Subtract the sketch of the rows."""
        return wire_noise(sent, rows, self.spec, self.space)
