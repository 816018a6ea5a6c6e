# SPDX-License-Identifier: Apache-2.0
"""A question to a member, on its way to Flower and into the log, and those that are under way together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flwr.app import Message as FlowerMessage
from flwr.app import RecordDict

from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.logs import Fields
from tailweave.protocols.messages import (
    Hello,
    HelloReply,
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
    TransportSupport,
    TransportSupportReply,
)
from tailweave.protocols.secure_sum_messages import OfferKey, OfferKeyReply, SendMasked, SendMaskedReply
from tailweave.server.roll import Place

_LATER_SECONDS = 60.0
"""After the deadline Flower drops a question that its node has not fetched."""

Question = Hello | FitParameters | Summarise | OfferKey | SendMasked | TransportSupport | Retrain
Reply = TypeVar(
    "Reply",
    HelloReply,
    FitParametersReply,
    SummariseReply,
    OfferKeyReply,
    SendMaskedReply,
    TransportSupportReply,
    RetrainReply,
)


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


@dataclass
class Asked(Generic[Reply]):
    """Questions under way: by position, answers with their bytes, and what has been said against others."""

    questions: Sequence[tuple[Member, Question]]
    expected: type[Reply]
    found: dict[int, tuple[Reply, int]] = field(default_factory=dict)
    refusals: set[tuple[int, str]] = field(default_factory=set)

    def place(self, position: int) -> Place:
        """Return the node and the arm that a question is for."""
        member, question = self.questions[position]
        return member.node_id, question.arm.name if isinstance(question, Retrain) else None

    def for_the_record(self) -> list[tuple[Reply, int]]:
        """Return the answers as they were asked for, those to ``hello`` by silo.

        Nodes are greeted in the order of their numbers, and under Ray a resumed run gives them others.
        """
        answers = [answer for _, answer in sorted(self.found.items())]
        if self.expected is HelloReply:
            answers.sort(key=lambda answer: Member(0, answer[0].silo).order)
        return answers

    def enough(self, min_clients: int) -> bool:
        """Tell whether the run can go on with what was found: enough answers to each arm's questions."""
        wanted = Counter(_group(question) for _, question in self.questions)
        got = Counter(_group(self.questions[position][1]) for position in self.found)
        return all(got[group] >= min(count, min_clients) for group, count in wanted.items())


def fields_of(member: Member, question: Question) -> Fields:
    """Return what a log line says of one member's question."""
    told = Fields(seed=question.seed, kind=question.kind, silo=member.silo)
    if isinstance(question, Retrain):
        told["arm"], told["start"], told["stop"] = question.arm.name, question.start, question.stop
    return told


def to_flower(member: Member, question: Question, content: RecordDict, deadline: float) -> FlowerMessage:
    """Return the question as Flower carries it; it takes no message twice, so a new one each time.

    Args:
        member: Whom it goes to.
        question: The question.
        content: The same, encoded: one for all whom it goes to.
        deadline: Seconds until an answer is no use.
    """
    ttl = deadline + _LATER_SECONDS
    return FlowerMessage(content, member.node_id, question.type, ttl=ttl, group_id=_group(question))


def _group(question: Question) -> str:
    return question.arm.name if isinstance(question, Retrain) else question.kind
