# SPDX-License-Identifier: Apache-2.0
"""Secure aggregation as the server runs it: keys, then masked sketches, then nothing but their sum.

The masks of an attempt cancel only when every silo of its roster has answered. When one has not, what the
others sent is thrown away and all begin again without it, with new keys under the next number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.config.privacy import FEWEST_SILOS, PrivacySpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.shrinkage import shrink
from tailweave.protocols.references.sliced import SlicedSummary
from tailweave.protocols.secure_sum.keys import Offer, SumRound, verify_offer
from tailweave.protocols.secure_sum.masks import Masked, Words, unmask_sum
from tailweave.protocols.secure_sum.schema import schema
from tailweave.protocols.secure_sum.share import noise_variance
from tailweave.protocols.secure_sum.sketches import STEP, from_words, pooled_summary, width
from tailweave.protocols.secure_sum_messages import OfferKey, OfferKeyReply, SendMasked, SendMaskedReply
from tailweave.server.controls.bounds import COUNT_MARGIN, NOISE_MARGIN, breaches, bucket_end
from tailweave.server.failure import RunFailed
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun

Reply = TypeVar("Reply", OfferKeyReply, SendMaskedReply)
UNSEEN = "no single silo's sketch was seen: no weight was capped and no silo compared with the others"
"""What the server gives up under masks; stands in the run's events."""


@dataclass(frozen=True)
class _Sum:
    """One attempt at one sum."""

    run: SeedRun
    spec: SlicedReference
    privacy: PrivacySpec
    number: int
    members: tuple[Member, ...]

    @property
    def round(self) -> SumRound:
        digest = schema(self.spec, self.privacy, self.run.kit.features, self.run.seed)
        return SumRound(
            self.run.federation.run, self.number, digest, tuple(sorted(m.silo for m in self.members))
        )

    def fields(self) -> dict[str, object]:
        """Return what both questions say."""
        return {
            **self.run.head,
            "reference": self.spec,
            "privacy": self.privacy,
            "number": self.number,
            "arrays": with_prefix("features", self.run.kit.features.arrays()),
        }


def summarise(
    run: SeedRun,
    released: tuple[SlicedReference, PrivacySpec],
    members: Sequence[Member],
) -> dict[str, Floats]:
    """Collect the sum of the silos' sketches and make the proxy reference of it.

    Args:
        run: Who is asked, the seed, and what all silos are given.
        released: Sketch, and privacy bounds with K_h honest silos.
        members: Who said hello.

    Returns:
        What ``protocols.references.proxy`` reads.

    Raises:
        RunFailed: If fewer than three silos, than ``honest-silos`` or than ``min-clients`` are left, or the
            sum is none that honest silos can have.
        ValueError: If the shares of noise would be too small for the grid.

    Privacy:
        The server sees uniform words and their sum, whose epsilon holds as long as K_h of the silos are
        honest. An attempt that fails after the masked vectors were sent has cost each of their silos a
        release.
    """
    spec, privacy = released
    noise_variance(spec, privacy, len(members))  # refuses shares that are too small before anybody is asked
    present = tuple(members)
    for number in count(1):
        _require(run, privacy, len(present))
        attempt = _Sum(run, spec, privacy, number, present)
        offers = _offers(attempt)
        vectors = _vectors(attempt, offers) if len(offers) == len(present) else None
        if vectors is not None and len(vectors) == len(present):
            break
        answered = offers if vectors is None else vectors
        present = tuple(member for member, _ in answered)
    total = unmask_sum([_words(member, reply) for member, reply in vectors or []], attempt.round)
    left_out = [member.silo for member in members if member not in present]
    run.federation.record.summed(
        seed=run.seed,
        kind=SendMasked.kind,
        silos=[member.silo for member in present],
        left_out=left_out,
        attempts=number,
        reason=f"{_named(spec, privacy)}: summed under masks; {UNSEEN}",
    )
    return {"sketch": _reference(attempt, total)}


def _require(run: SeedRun, privacy: PrivacySpec, remaining: int) -> None:
    clients = run.federation.experiment.min_clients
    least = max(FEWEST_SILOS, privacy.honest_silos or 0, clients)
    if remaining < least:
        reasons = "".join(f"\n  {reason}" for reason in dict.fromkeys(run.federation.record.refusals))
        raise RunFailed(
            f"secure aggregation needs {least} silos (at least {FEWEST_SILOS}, privacy.honest-silos = "
            f"{privacy.honest_silos} and min-clients = {clients}), {remaining} are left; "
            f"refused:{reasons}"
        )


def _offers(attempt: _Sum) -> list[tuple[Member, OfferKeyReply]]:
    question = OfferKey.model_validate({**attempt.fields(), "silos": attempt.round.silos})
    answers = attempt.run.federation.ask([(member, question) for member in attempt.members], OfferKeyReply)

    def check(reply: OfferKeyReply) -> None:
        if reply.number != attempt.number:
            raise ValueError(f"offers a key for number {reply.number}, asked for {attempt.number}")
        known = attempt.run.federation.identities.setdefault(reply.silo, reply.identity)
        if known != reply.identity:
            raise ValueError("comes with another identity than it first had in this run")
        offer = Offer(reply.silo, reply.public, reply.signature)
        verify_offer(offer, attempt.round, {reply.silo: reply.identity})

    return _kept(attempt, question, answers, check)


def _vectors(
    attempt: _Sum, offers: Sequence[tuple[Member, OfferKeyReply]]
) -> list[tuple[Member, SendMaskedReply]]:
    roster = [reply.key for _, reply in sorted(offers, key=lambda answer: answer[1].silo)]
    question = SendMasked.model_validate({**attempt.fields(), "roster": roster})
    answers = attempt.run.federation.ask([(member, question) for member in attempt.members], SendMaskedReply)

    def check(reply: SendMaskedReply) -> None:
        asked = (attempt.number, attempt.spec, attempt.privacy)
        if (reply.number, reply.reference, reply.privacy) != asked:
            raise ValueError("the masked sketch is for another sum than was asked for")
        values = Masked.from_arrays(reply.silo, reply.number, reply.arrays).values
        if values.shape != (width(attempt.spec),):
            raise ValueError(f"a masked sketch has {width(attempt.spec)} 32-bit words, got {values.shape}")

    return _kept(attempt, question, answers, check)


def _kept(
    attempt: _Sum,
    question: OfferKey | SendMasked,
    answers: Sequence[tuple[Member, Reply]],
    check: Callable[[Reply], None],
) -> list[tuple[Member, Reply]]:
    """Return the answers that pass the check; the others are refused, each with its reason."""
    kept = []
    for member, reply in answers:
        try:
            check(reply)
        except ValueError as error:
            attempt.run.federation.refuse(member, question, str(error))
        else:
            kept.append((member, reply))
    return kept


def _words(member: Member, reply: SendMaskedReply) -> Masked:
    return Masked.from_arrays(member.silo, reply.number, reply.arrays)


def _reference(attempt: _Sum, total: Words) -> Floats:
    """Read the sum, check it against the public bounds, and shrink it towards the public sketch."""
    spec, run = attempt.spec, attempt.run
    pooled = pooled_summary(from_words(total), spec)
    variance = noise_variance(spec, attempt.privacy, len(attempt.members))
    _check_bounds(attempt, pooled, float(variance.max()) ** 0.5)
    mean: Floats = pooled.sums / pooled.count
    if not attempt.privacy.shrink:
        return mean
    return shrink(
        mean, variance / pooled.count**2, run.kit.samples, spec, run.kit.features.space(attempt.run.seed)
    )


def _check_bounds(attempt: _Sum, pooled: SlicedSummary, noise: float) -> None:
    """Stop at a sum that honest silos cannot have: one of them lies, and masks hide which."""
    space = attempt.run.kit.features.space(attempt.run.seed)
    rounding = pooled.count * STEP / 2.0 if attempt.spec.basis == "cosine" else 0.0
    found = breaches(pooled, attempt.spec, space, noise=noise + rounding / NOISE_MARGIN)
    most = COUNT_MARGIN * sum(bucket_end(member.rows_at_least) for member in attempt.members)
    if pooled.count > most:
        found.append(f"it claims {pooled.count:.6g} rows, after hello at most {most:.6g} pass")
    if found:
        raise RunFailed(
            f"the sum of {', '.join(m.silo for m in attempt.members)} is none that honest silos can have, "
            f"and masks hide whose fault it is: {'; '.join(found)}"
        )


def _named(spec: SlicedReference, privacy: PrivacySpec) -> str:
    return f"{spec.kind} {spec.basis} at epsilon {privacy.epsilon:g}"
