# SPDX-License-Identifier: Apache-2.0
"""Putting questions to the silos, and accepting only answers that fit them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flwr.app import Message as FlowerMessage
from flwr.app import RecordDict
from flwr.serverapp import Grid

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.logs import Log
from tailweave.protocols.messages import (
    HelloReply,
    Retrain,
)
from tailweave.protocols.records import MessageError, decode, encode, size
from tailweave.protocols.visible import visible
from tailweave.server.exchange import dead_process, exchange, wait_for_nodes
from tailweave.server.failure import RunFailed
from tailweave.server.fit import check_fit
from tailweave.server.flower_errors import may_pass, reason
from tailweave.server.questions import Asked, Member, Question, Reply, fields_of, to_flower
from tailweave.server.record import Record
from tailweave.server.roll import Roll


@dataclass(frozen=True)
class Federation:
    """One run of one experiment.

    Attributes:
        grid: Any Flower grid.
        experiment: What is run.
        run: Name of the run; state on the nodes belongs to it.
        record: Where answers and refusals are written.
        identities: By silo, the public key that it first signed with in this run.
        starts: By seed, the parameters that generation 0 starts from, where FedAvg made them.
        silos: Names of the silos that should be there, where they are known.
        roll: Who is there.
    """

    grid: Grid
    experiment: Experiment
    run: str
    record: Record
    identities: dict[str, str] = field(default_factory=dict)
    silos: tuple[str, ...] = ()
    roll: Roll = field(default_factory=Roll)
    starts: dict[int, dict[str, Floats]] = field(default_factory=dict)

    @property
    def log(self) -> Log:
        """The server's log of this run."""
        return Log("server", self.run)

    @property
    def return_seconds(self) -> float:
        """How long is waited for a silo that is not connected."""
        limits = self.experiment.federation
        return min(limits.return_seconds, limits.deadline_seconds)

    def ask(
        self, questions: Sequence[tuple[Member, Question]], expected: type[Reply]
    ) -> list[tuple[Member, Reply]]:
        """Ask members and return the answers that fit, in the order of the questions.

        What is late, an error, malformed, or not the first answer is refused with a reason that names the
        silo; the others go on. A silo that was away, late or failed is asked the same again as soon as it is
        connected, if that is within ``return-seconds`` and the deadline; and again as long as one more
        answers. One that was asked again in vain is not waited for any more, until it answers a later
        question. Where too few answers are left to go on with, none is recorded: ``--resume`` asks for all of
        them again.

        Args:
            questions: Each with the member that it goes to.
            expected: Type of the answer.

        Returns:
            The accepted answers.

        Raises:
            RunFailed: If a simulation has lost one of its processes.
        """
        asked = Asked(questions, expected)
        missed = self._exchange(asked, range(len(questions)))
        away = set(missed)
        while missed:
            again = self._back(asked, missed)
            missed = self._exchange(asked, again, again=True)
            if len(missed) == len(again):
                break
        self._call_roll(asked, away)
        if asked.enough(self.experiment.min_clients):
            for answer, size_ in asked.for_the_record():
                self.record.left_silo(answer.silo, answer, size_)
        return [(questions[position][0], answer) for position, (answer, _) in sorted(asked.found.items())]

    def _exchange(self, asked: Asked[Reply], positions: Sequence[int], *, again: bool = False) -> list[int]:
        """Put questions once; return those without an answer that may have one when they are put again."""
        deadline, log = self.experiment.federation.deadline_seconds, self.log
        sent: list[FlowerMessage] = []
        seconds: dict[int, float] = {}
        payloads: dict[int, tuple[RecordDict, int]] = {}  # by question: one for all silos that it goes to
        for position in positions:
            member, question = asked.questions[position]
            if id(question) not in payloads:
                content = encode(question)
                payloads[id(question)] = content, size(content)
            content, bytes_ = payloads[id(question)]
            sent.append(to_flower(member, question, content, deadline))
            say = log.warning if again else log.info
            say("asked again" if again else "asked", fields_of(member, question), bytes=bytes_)
        replies = exchange(self.grid, sent, deadline, seconds.__setitem__)
        if died := dead_process(self.grid, replies):
            raise RunFailed(f"a process of the simulation died ({died}); go on with --resume")
        missed = []
        for number, position in enumerate(positions):
            member, question = asked.questions[position]
            arrived = replies[number]
            if not arrived:
                self._refuse_once(asked, position, f"no answer within {deadline:g} s")
            self._first(asked, position, arrived)
            if position in asked.found:
                took, bytes_ = round(seconds.get(number, 0.0), 3), asked.found[position][1]
                log.info("answered", fields_of(member, question), seconds=took, bytes=bytes_)
            elif all(r.has_error() and may_pass(r.error.code, r.error.reason or "") for r in arrived):
                missed.append(position)
        return missed

    def _back(self, asked: Asked[Reply], missed: Sequence[int]) -> list[int]:
        """Wait for the nodes that did not answer; return the questions to those that are connected."""
        wanted = [position for position in missed if self.roll.worth_waiting(asked.place(position))]
        nodes = {asked.place(position)[0] for position in wanted}
        if not nodes:
            return []
        there = wait_for_nodes(self.grid, lambda found: nodes <= found.keys(), self.return_seconds)
        return [position for position in wanted if asked.place(position)[0] in there]

    def _call_roll(self, asked: Asked[Reply], away: set[int]) -> None:
        """Record who was missing and takes part again, and remember who is missing still."""
        for position, (member, question) in enumerate(asked.questions):
            place = asked.place(position)
            if position not in asked.found:
                if position in away:  # not one that is there and was refused
                    self.roll.missed(place, member.silo)
                continue
            ended = self.roll.answered(place)
            if position in away:
                ended.setdefault(place, member.silo)
            for (_, arm), silo in ended.items():
                reason = "asked again, it answered" if position in away else "it answers again"
                self.returned(question, silo, arm, reason)

    def returned(self, question: Question, silo: str | None, arm: str | None, reason: str) -> None:
        """Record that a silo that was missing takes part again."""
        seed, kind = question.seed, question.kind
        self.record.returned(seed=seed, kind=kind, silo=silo, arm=arm, reason=reason)
        self.log.info("returned", seed=seed, kind=kind, silo=silo or "unnamed", arm=arm)

    def _first(self, asked: Asked[Reply], position: int, arrived: Sequence[FlowerMessage]) -> None:
        """Keep the first answer that fits, if any does; what came before or after it is refused."""
        for reply in arrived:
            if position in asked.found:
                extra = f"duplicate answer {reply.metadata.message_id!r}, the first is used"
                self.refuse(*asked.questions[position], extra)
                continue
            try:
                answer = self._accept(*asked.questions[position], reply, asked.expected)
                asked.found[position] = answer, size(reply.content)
            except MessageError as error:
                self._refuse_once(asked, position, str(error))

    def _refuse_once(self, asked: Asked[Reply], position: int, reason: str) -> None:
        if (position, reason) not in asked.refusals:  # a question put again may fail as before
            asked.refusals.add((position, reason))
            self.refuse(*asked.questions[position], reason)

    def refuse(self, member: Member, question: Question, reason: str) -> None:
        """Record that this member's answer is not used; the reason may quote what the silo sent."""
        reason = visible(reason)
        arm = question.arm.name if isinstance(question, Retrain) else None
        self.record.refused(seed=question.seed, kind=question.kind, silo=member.silo, arm=arm, reason=reason)
        self.log.warning("refused", fields_of(member, question), reason=reason)

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

    def _accept(
        self, member: Member, question: Question, reply: FlowerMessage, expected: type[Reply]
    ) -> Reply:
        if reply.has_error():
            raise MessageError(reason(reply.error.code, reply.error.reason or ""))
        answer = decode(reply.content, expected)
        if (answer.run, answer.seed) != (question.run, question.seed):
            raise MessageError(
                f"answers run {answer.run}, seed {answer.seed}, not {question.run}, {question.seed}"
            )
        if not isinstance(answer, HelloReply) and answer.silo != member.silo:
            raise MessageError(f"answers as {answer.silo}, said hello as {member.silo}")
        check_fit(question, answer)
        return answer
