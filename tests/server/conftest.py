# SPDX-License-Identifier: Apache-2.0
"""A real Grid whose nodes answer by the protocol, unless a test tells one of them to misbehave."""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from tailweave.protocols import messages, references
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.records import decode, encode
from tailweave.protocols.streams import stream
from tailweave.protocols.transport.projection import project, towards
from tailweave.server.federation import Federation
from tailweave.server.record import Record

TYPES = {
    question.type: question
    for question in (
        messages.Hello,
        FitParameters,
        messages.Summarise,
        messages.TransportSupport,
        messages.Retrain,
    )
}
KIT = PublicKit(
    FeatureMap(np.zeros(2), np.eye(2), np.zeros(2), 1.0),
    {"mean": np.zeros(2), "covariance": np.eye(2)},
    stream(0, "public").normal(size=(50, 2)),
)
Tamper = Callable[[Message, RecordDict], list[Message]]


def silo_rows(node: int) -> np.ndarray:
    return stream(node, "rows").normal(size=(40 + node, 2))


def honest(node: int, question: messages.Message) -> messages.Message:
    head = {"run": question.run, "seed": question.seed, "silo": f"silo-{node}"}
    if isinstance(question, messages.Hello):
        return messages.HelloReply(**head, columns=2, rows_at_least=20)
    if isinstance(question, FitParameters):
        rows = silo_rows(node)
        moments = {"mean": rows.mean(axis=0), "second": rows.T @ rows / len(rows)}
        return FitParametersReply(**head, turn=question.turn, arrays=with_prefix("model", moments))
    if isinstance(question, messages.Summarise):
        space = FeatureMap.from_arrays(question.part("features")).space(question.seed)
        summary = references.release(
            silo_rows(node), question.reference, space, 10, rng=stream(node, "release")
        )
        return messages.SummariseReply(
            **head,
            reference=question.reference,
            privacy=question.privacy,
            noise="none",
            arrays=summary.arrays(),
        )
    if isinstance(question, messages.TransportSupport):
        share = getattr(question.reference, "interpolation", 1.0)
        support = question.arrays["support"]
        moved = towards(support, project(support, silo_rows(node)).image, share)
        return messages.TransportSupportReply(
            **head, reference=question.reference, turn=question.turn, arrays={"moved": moved}
        )
    generations = np.arange(question.start, question.stop + 1.0)
    ages = np.repeat(generations, 2)
    values = np.where(np.arange(len(ages)) % 2 == 0, ages, float(node))
    return messages.RetrainReply(
        **head,
        arm=question.arm.name,
        start=question.start,
        stop=question.stop,
        names=("frechet", "w2_sq"),  # the generation, and the node
        arrays={"generations": ages, "metrics": np.arange(len(ages)) % 2.0, "values": values},
    )


@dataclass
class ScriptedGrid(Grid):
    """Nodes 0, 1, ... that answer at once; ``tampers[node, kind]`` turns an honest answer into others."""

    nodes: list[int]
    tampers: dict[tuple[int, str], Tamper] = field(default_factory=dict)
    asked: list[tuple[int, messages.Message]] = field(default_factory=list)
    _ready: list[Message] = field(default_factory=list)

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        return Run.create_empty(1)

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None) -> Message:
        raise NotImplementedError

    def send_and_receive(self, messages, *, timeout=None) -> Iterable[Message]:
        raise NotImplementedError

    def get_node_ids(self) -> Iterable[int]:
        return list(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return [self._push(message) for message in messages]

    def _push(self, message: Message) -> str:
        name = uuid.uuid4().hex
        message.metadata.__dict__["_message_id"] = name
        node = message.metadata.dst_node_id
        question = decode(message.content, TYPES[message.metadata.message_type])
        self.asked.append((node, question))
        tamper = self.tampers.get((node, question.kind), _one_answer)
        self._ready += tamper(message, encode(honest(node, question)))
        return name

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        wanted = set(message_ids)
        replies = [reply for reply in self._ready if reply.metadata.reply_to_message_id in wanted]
        self._ready = [reply for reply in self._ready if reply not in replies]
        return replies

    def of_kind(self, kind: str) -> list[tuple[int, messages.Message]]:
        return [(node, question) for node, question in self.asked if question.kind == kind]


def _one_answer(message: Message, content: RecordDict) -> list[Message]:
    return [Message(content, reply_to=message)]


@dataclass
class Scene:
    """A federation of scripted silos and the folder it writes to."""

    grid: ScriptedGrid
    federation: Federation
    out: Path
    kit: PublicKit = KIT

    def lines(self, name: str) -> list[dict]:
        return [json.loads(line) for line in (self.out / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Scene]:
    """Return a maker of scenes: ``silos``, ``arms`` and any other keys of the experiment."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1

    def make(silos: int = 3, arms: list[dict] | None = None, out: str = "out", **keys) -> Scene:
        raw = {
            "name": "scripted",
            "seeds": [0],
            "data": {"source": "wine"},
            "silos": {"count": silos, "partition": {"kind": "iid"}},
            "generator": {"kind": "gaussian"},
            "recursion": {"generations": 4, "samples": 20},
            "arms": arms or [{"name": "alone", "rule": "random"}],
            "federation": {"deadline-seconds": 0.05, "generations-per-message": 2},
        }
        experiment = Experiment.model_validate(raw | keys)
        grid = ScriptedGrid(list(range(silos)))
        federation = Federation(grid, experiment, "scripted-1", Record(tmp_path / out))
        return Scene(grid, federation, tmp_path / out)

    return make
