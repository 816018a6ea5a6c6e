# SPDX-License-Identifier: Apache-2.0
"""Putting questions to the silos, and accepting only answers that fit them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from flwr.app import Message as FlowerMessage
from flwr.serverapp import Grid

from protocols.config.experiment import Experiment
from protocols.features import FeatureMap
from protocols.messages import (
    Hello,
    HelloReply,
    Message,
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
    TransportSupport,
    TransportSupportReply,
)
from protocols.records import MessageError, decode, encode, size
from protocols.references import read_summary
from protocols.sum_messages import OfferKey, OfferKeyReply, SendMasked, SendMaskedReply
from server.flower_errors import reason
from server.record import KEYS, Record
from server.returns import ActorDiedError, Away, exchange_with_returns

_LATER_SECONDS = 60.0
"""After the deadline Flower drops a question that its node has not fetched."""

Question = Hello | Summarise | OfferKey | SendMasked | TransportSupport | Retrain
Reply = TypeVar(
    "Reply",
    HelloReply,
    SummariseReply,
    OfferKeyReply,
    SendMaskedReply,
    TransportSupportReply,
    RetrainReply,
)


class RunFailed(RuntimeError):  # noqa: N818 - it reads as what happened
    """Too few silos are left to go on; the message names each refused silo and the reason."""


@dataclass(frozen=True)
class Member:
    """A node that takes part.

    Attributes:
        node_id: Flower's number of the node.
        silo: The silo's name once it has said hello; rows and sums are sorted by it.
        rows_at_least: The bucket of rows that it named in hello.
    """

    node_id: int
    silo: str
    rows_at_least: int = 0

    @property
    def order(self) -> tuple[int, str]:
        """Sort key that puts silo-2 before silo-10."""
        return len(self.silo), self.silo


@dataclass(frozen=True)
class Federation:
    """One run of one experiment.

    Attributes:
        grid: Any Flower grid.
        experiment: What is run.
        run: Name of the run; state on the nodes belongs to it.
        record: Where answers and refusals are written.
        identities: By silo, the public key that it first signed with in this run.
        away: Who was waited for in vain.
    """

    grid: Grid
    experiment: Experiment
    run: str
    record: Record
    identities: dict[str, str] = field(default_factory=dict)
    away: Away = field(default_factory=Away)

    def ask(
        self, questions: Sequence[tuple[Member, Question]], expected: type[Reply]
    ) -> list[tuple[Member, Reply]]:
        """Ask members and return the answers that fit, in the order of the questions.

        What is late, an error, malformed, or not the first answer is refused with a reason that names the
        silo; the others go on. A silo that is lost on the way is asked again if it comes back in time. Where
        too few answers are left to go on with, none is recorded: ``--resume`` asks for all of them again.

        Args:
            questions: Each with the member that it goes to.
            expected: Type of the answer.

        Returns:
            The accepted answers.

        Raises:
            RunFailed: If a simulation lost one of its processes.
        """
        deadline = self.experiment.federation.deadline_seconds
        replies = self._exchange(questions, deadline)
        accepted: list[tuple[Member, Question, Reply, int]] = []
        for position, (member, question) in enumerate(questions):
            arrived = replies[position]
            if not arrived:
                self.refuse(member, question, f"no answer within {deadline:g} s")
            found = self._first(member, question, arrived, expected)
            accepted += [(member, question, answer, length) for answer, length in found]
        if self._enough(questions, [question for _, question, _, _ in accepted]):
            for _, _, answer, length in accepted:
                self.record.left_silo(answer.silo, answer, length)
        return [(member, answer) for member, _, answer, _ in accepted]

    def _exchange(
        self, questions: Sequence[tuple[Member, Question]], deadline: float
    ) -> dict[int, list[FlowerMessage]]:
        try:
            return exchange_with_returns(
                self.grid,
                [member.node_id for member, _ in questions],
                lambda position: _flower(*questions[position], deadline),
                self.experiment.federation,
                self.away,
            )
        except ActorDiedError as error:
            raise RunFailed(f"a process of the simulation died ({error}); go on with --resume") from None

    def _enough(self, asked: Sequence[tuple[Member, Question]], answered: Sequence[Question]) -> bool:
        """Tell whether ``require`` can be content with the answers to each arm's questions."""
        wanted, got = (
            Counter(map(_group, (question for _, question in asked))),
            Counter(map(_group, answered)),
        )
        return all(got[group] >= min(count, self.experiment.min_clients) for group, count in wanted.items())

    def _first(
        self, member: Member, question: Question, arrived: Sequence[FlowerMessage], expected: type[Reply]
    ) -> list[tuple[Reply, int]]:
        """Return the first answer that fits, with its bytes; what came before or after it is refused."""
        used: list[tuple[Reply, int]] = []
        for reply in arrived:
            if used:
                extra = f"duplicate answer {reply.metadata.message_id!r}, the first is used"
                self.refuse(member, question, extra)
                continue
            try:
                used.append((_fitting(member, question, reply, expected), size(reply.content)))
            except MessageError as error:
                self.refuse(member, question, str(error))
        return used

    def refuse(self, member: Member, question: Question, reason: str) -> None:
        """Record that this member's answer is not used."""
        arm = question.arm.name if isinstance(question, Retrain) else None
        self.record.refused(seed=question.seed, kind=question.kind, silo=member.silo, arm=arm, reason=reason)

    def require(self, remaining: int, *, of: int | None = None) -> None:
        """Stop the run when fewer silos remain than ``min-clients``, or of fewer asked not all of them.

        Args:
            remaining: How many silos answered.
            of: How many were asked, where it is not all.

        Raises:
            RunFailed: With all refusals so far.
        """
        needed, limit = self.experiment.min_clients, "min-clients"
        if of is not None and of < needed:
            needed, limit = of, "silos.follow"
        if remaining < needed:
            reasons = "".join(f"\n  {reason}" for reason in dict.fromkeys(self.record.refusals))
            raise RunFailed(f"{remaining} silos are left, {limit} is {needed}; refused:{reasons}")


def _fitting(member: Member, question: Question, reply: FlowerMessage, expected: type[Reply]) -> Reply:
    if reply.has_error():
        raise MessageError(reason(reply.error.code, reply.error.reason or ""))
    answer = decode(reply.content, expected)
    if (answer.run, answer.seed) != (question.run, question.seed):
        raise MessageError(
            f"answers run {answer.run}, seed {answer.seed}, not {question.run}, {question.seed}"
        )
    if not isinstance(answer, HelloReply) and answer.silo != member.silo:
        raise MessageError(f"answers as {answer.silo}, said hello as {member.silo}")
    _check_fit(question, answer)
    return answer


def _group(question: Question) -> str:
    return question.arm.name if isinstance(question, Retrain) else question.kind


def _flower(member: Member, question: Question, deadline: float) -> FlowerMessage:
    content, ttl = encode(question), deadline + _LATER_SECONDS
    return FlowerMessage(content, member.node_id, question.type, ttl=ttl, group_id=_group(question))


def _check_fit(question: Question, answer: Message) -> None:
    if isinstance(answer, SummariseReply) and isinstance(question, Summarise):
        _check_reference(question, answer)
    if isinstance(answer, RetrainReply) and isinstance(question, Retrain):
        _check_span(question, answer)


def _check_reference(question: Summarise, answer: SummariseReply) -> None:
    if (answer.reference, answer.privacy) != (question.reference, question.privacy):
        raise MessageError("the summary is for another reference or other privacy bounds than were asked for")
    dimension = FeatureMap.from_arrays(question.part("features")).dimension
    try:
        read_summary(answer.arrays, answer.reference, dimension, exact=answer.privacy.epsilon is None)
    except ValueError as error:
        raise MessageError(str(error)) from None


def _check_span(question: Retrain, answer: RetrainReply) -> None:
    rows, wanted = len(answer.arrays["values"]), question.stop - question.start + 1
    if (answer.arm, answer.start, rows) != (question.arm.name, question.start, wanted):
        raise MessageError(
            f"{rows} generations of arm {answer.arm} from {answer.start} on, asked for {wanted} of "
            f"{question.arm.name} from {question.start} on"
        )
    taken = [name for name in answer.names if name in KEYS]
    if taken:
        raise MessageError(f"metric names must not be {', '.join(KEYS)}, got {', '.join(taken)}")
