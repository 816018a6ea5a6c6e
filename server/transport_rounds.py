# SPDX-License-Identifier: Apache-2.0
"""Schemes I and II of arXiv 2606.13732, the server's side: supports go out, mapped supports come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, probabilities, with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.transported import (
    BarycenterReference,
    GeodesicReference,
    TransportedReference,
)
from tailweave.protocols.messages import TransportSupport, TransportSupportReply
from tailweave.protocols.transport.free_support import mean_step, tolerance_sq
from tailweave.protocols.transport.geodesic import between
from tailweave.server.controls.weights import cap_weights
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun

FARTHEST = 1000.0
"""Public radii from the public centre at which no honest atom lies; stops what is absurd."""


@dataclass(frozen=True)
class _Exchange:
    """What stays the same over the turns of one reference."""

    run: SeedRun
    spec: TransportedReference
    privacy: PrivacySpec

    def ask(self, turn: int, supports: Mapping[Member, Floats]) -> dict[Member, Floats]:
        """Send each member a support; return what came back, without those whose answer does not fit."""
        features = with_prefix("features", self.run.kit.features.arrays())
        questions = {
            member: TransportSupport(
                **self.run.head,
                reference=self.spec,
                privacy=self.privacy,
                turn=turn,
                arrays=features | {"support": support},
            )
            for member, support in supports.items()
        }
        moved = {}
        for member, reply in self.run.federation.ask(list(questions.items()), TransportSupportReply):
            reason = self._misfit(questions[member], reply)
            if reason is None:
                moved[member] = reply.arrays["moved"]
            else:
                self.run.federation.refuse(member, questions[member], reason)
        self.run.federation.require(len(moved))
        return moved

    def _misfit(self, question: TransportSupport, reply: TransportSupportReply) -> str | None:
        support, moved = question.arrays["support"], reply.arrays["moved"]
        if (reply.reference, reply.turn) != (question.reference, question.turn):
            return f"answers turn {reply.turn} of another reference or turn than was asked for"
        if moved.shape != support.shape:
            return f"{support.shape} atoms were sent, got {moved.shape}"
        space = self.run.kit.features.space(self.run.seed)
        radius = float(np.abs(moved - space.center).max()) / space.scale
        if radius > FARTHEST:
            return f"an atom lies {radius:.3g} public radii from the centre: at most {FARTHEST:g} pass"
        return None

    def weights(self, members: Sequence[Member]) -> Floats:
        """Return the mass of each silo, shape (K,): alike, or by its capped bucket of rows."""
        if self.spec.weights == "equal":
            return np.full(len(members), 1.0 / len(members))
        return probabilities(cap_weights([max(1, m.rows_at_least) for m in members]), "weights")


def transported(
    run: SeedRun,
    asked: tuple[TransportedReference, PrivacySpec],
    members: Sequence[Member],
) -> dict[str, Floats]:
    """Run the rounds ``transport`` of one reference.

    The first support is the first public samples. A silo that misses a turn is out of the reference.

    Args:
        run: Who is asked, the seed, and what all silos are given.
        asked: The reference, and the privacy bounds, which must have no epsilon.
        members: Who said hello, sorted.

    Returns:
        What ``protocols.references.proxy`` reads: ``support`` (s, d), or ``interpolants`` (K, s, d) and
        ``weights`` (K,).

    Raises:
        RunFailed: If fewer than ``min-clients`` silos remain.
        ValueError: If the kit has fewer public samples than the support needs.
        ArithmeticError: If a transport problem of the server's own is not solved.

    Privacy:
        The server sees projections of real rows of every silo. With ``geodesic`` every silo sees what comes
        of each other silo's too, as its interpolants go out with the reference.
    """
    spec, privacy = asked
    if len(run.kit.samples) < spec.support:
        raise ValueError(
            f"reference {spec.kind}: support must be at most the kit's {len(run.kit.samples)} public "
            f"samples, got {spec.support}"
        )
    public: Floats = run.kit.samples[: spec.support]
    exchange = _Exchange(run, spec, privacy)
    if isinstance(spec, BarycenterReference):
        return {"support": _barycenter(exchange, spec, public, members)}
    if isinstance(spec, GeodesicReference):
        return _interpolants(exchange, spec, public, members)
    raise ValueError(f"reference {spec.kind} has no rounds here: another package cannot bring such a kind")


def _barycenter(
    exchange: _Exchange, spec: BarycenterReference, public: Floats, members: Sequence[Member]
) -> Floats:
    """Iterate the support to a fixed point of the silos' mean map, or until the iterations are over."""
    support, left = public, tuple(members)
    for turn in range(1, spec.iterations + 1):
        moved = exchange.ask(turn, dict.fromkeys(left, support))
        left = tuple(moved)
        support, step_sq = mean_step(support, list(moved.values()), exchange.weights(left), 1.0)
        if step_sq <= tolerance_sq(public):
            break
    return support


def _interpolants(
    exchange: _Exchange, spec: GeodesicReference, public: Floats, members: Sequence[Member]
) -> dict[str, Floats]:
    """Move each silo's own support onto the geodesic between the public samples and its rows."""
    supports = dict.fromkeys(members, public)
    for turn in range(1, spec.rounds + 1):
        supports = {
            member: between(
                supports[member], public, moved, spec.interpolation, entropic_reg=spec.entropic_reg
            )
            for member, moved in exchange.ask(turn, supports).items()
        }
    return {"interpolants": np.stack(list(supports.values())), "weights": exchange.weights(tuple(supports))}
