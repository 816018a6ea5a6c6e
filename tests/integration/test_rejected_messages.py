# SPDX-License-Identifier: Apache-2.0
"""Rejected messages change nothing: two whole runs, one of them disturbed at every question and answer.

Between the questions of a real server, silos get malformed ones; between their answers, the server gets
malformed, replayed and doubled ones and those of other silos. Then everything that a run leaves behind must
be, byte for byte, what the undisturbed run left: references, ledgers, kept releases, metrics, wire log.
"""

import copy
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict

from tailweave.protocols.config.load import load_experiment
from tailweave.server.app import app
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.prepare import prepare

ARMS = [
    {"name": "noised", "rule": "herding", "reference": {"kind": "sliced", "directions": 8}, "epsilon": 2.0},
    {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 4}},
]
CONFIG = {
    "name": "disturbed",
    "seeds": 2,
    "data": {"source": "digits", "evaluation-fraction": 0.1},
    "features": {"kind": "pca", "dimensions": 6},
    "silos": {"count": 3, "partition": {"kind": "iid"}, "rows-per-silo": 80},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 3, "samples": 60, "candidates-per-sample": 3},
    "arms": ARMS,
    "privacy": {"epsilon": None, "min-rows": 50},
    "evaluation": {"samples": 60},
    "federation": {"generations-per-message": 2},
}
Change = Callable[[RecordDict], None]


def body(**changes: object) -> Change:
    def change(content: RecordDict) -> None:
        content["message"]["body"] = json.dumps({**json.loads(str(content["message"]["body"])), **changes})

    return change


def nan_in_first_array(content: RecordDict) -> None:
    for name, array in content["arrays"].items():
        content["arrays"][name] = Array(np.full(array.shape, np.nan))
        break
    else:
        content["arrays"]["x"] = Array(np.full(1, np.nan))


def half_precision(content: RecordDict) -> None:
    content["arrays"]["x"] = Array(np.zeros(3, dtype=np.float32))


def swapped(content: RecordDict) -> None:
    content["message"], content["arrays"] = ArrayRecord(), ConfigRecord()


MALFORMED: dict[str, Change] = {
    "schema": lambda c: c["message"].update({"schema-version": 99}),
    "kind": lambda c: c["message"].update({"kind": "goodbye"}),
    "text": lambda c: c["message"].update({"body": "{"}),
    "unknown key": body(more=1),
    "wrong seed": body(seed=-1),
    "wrong type": body(run=7),
    "NaN": nan_in_first_array,
    "float32": half_precision,
    "records": swapped,
}
UNWELCOME: dict[str, dict[str, Change]] = {
    "hello": {},
    "summarise": {
        "epsilon below zero": body(privacy={"epsilon": -1.0}),
        "too many rows wanted": body(privacy={"epsilon": 1.0, "min-rows": 10**6}),
        "no directions": body(reference={"kind": "sliced", "directions": 0}),
        "no feature map": lambda c: c["arrays"].pop("features/weights"),
    },
    "retrain": {
        "backwards": body(start=3, stop=1),
        "no reference": lambda c: [
            c["arrays"].pop(n) for n in list(c["arrays"]) if n.startswith("reference")
        ],
        "no generator": body(generator={"kind": "oracle"}),
    },
}
"""Well formed, but not what a silo answers."""


def changed(content: RecordDict, change: Change) -> RecordDict:
    other = copy.deepcopy(content)
    change(other)
    return other


class Watched(InProcessGrid):
    """Remembers the references that the server hands out."""

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        questions = list(messages)
        woven = self.__dict__.setdefault("woven", [])
        for question in questions:
            arrays = question.content["arrays"]
            woven += [(name, arrays[name].data) for name in sorted(arrays) if name.startswith("reference/")]
        return super().push_messages(questions)


class Disturbed(Watched):
    """Sends silos more than the server asked, and the server more than the silos answered."""

    def _push(self, message: Message) -> str:
        kind = str(message.content["message"]["kind"])
        for name, change in {**MALFORMED, **UNWELCOME[kind]}.items():
            reply = self._tried(message, changed(message.content, change))
            assert reply.has_error(), f"{kind}: {name} was answered"
            self.__dict__.setdefault("refused", []).append((kind, name))
        first = self._tried(message, message.content)  # the same question twice: a retry
        name = super()._push(message)
        assert first.content == self._ready[name].content
        self.__dict__.setdefault("asked", {})[name] = message
        return name

    def _tried(self, message: Message, content: RecordDict) -> Message:
        metadata = message.metadata
        other = Message(content, metadata.dst_node_id, metadata.message_type, group_id=metadata.group_id)
        return self._ready.pop(super()._push(other))

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        genuine = list(super().pull_messages(message_ids))
        earlier = self.__dict__.setdefault("earlier", [])
        disturbed = [m for reply in genuine for m in self._around(reply, genuine, list(earlier))]
        earlier += [reply.content for reply in genuine]
        return disturbed

    def _around(self, reply: Message, genuine: list[Message], earlier: list[RecordDict]) -> list[Message]:
        question = self.__dict__["asked"][reply.metadata.reply_to_message_id]
        kind = question.content["message"]["kind"]
        before = [changed(reply.content, change) for change in MALFORMED.values()]
        if kind != "hello":  # whose name a node may take is settled by hello
            before += [body_of.content for body_of in genuine if body_of is not reply]  # of other silos
            before += earlier[:1] + earlier[-4:]  # replayed
            before.append(changed(reply.content, body(run="another-run")))
            before.append(changed(reply.content, body(seed=2**31)))
        broken = Message(Error(2, "<class 'ValueError'>:<'broken'>"), reply_to=question)
        return [
            broken,
            *(Message(content, reply_to=question) for content in before),
            reply,
            Message(copy.deepcopy(reply.content), reply_to=question),
        ]


@dataclass
class Run:
    """What a run left behind."""

    grid: Watched
    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)

    def of(self, pattern: str) -> dict[str, bytes]:
        return {name: content for name, content in self.files.items() if re.search(pattern, name)}


def left_by(grid_type: type[Watched], folder: Path, settings: dict[str, str]) -> Run:
    settings = settings | {"out": str(folder / "out"), "state-dir": str(folder / "state")}
    grid = grid_type([{"partition-id": i} for i in range(3)], settings, workers=0)
    app(grid, Context(1, 1, {}, RecordDict(), dict(settings)))
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return Run(grid, folder, files)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Run, Run]:
    """The same experiment, left alone and disturbed."""
    base = tmp_path_factory.mktemp("runs")
    config = base / "experiment.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    prepare(load_experiment(config)).save_kits(base / "kits")
    settings = {"config": str(config), "kit": str(base / "kits")}
    still = left_by(Watched, base / "still", settings)
    return still, left_by(Disturbed, base / "disturbed", settings)


@pytest.mark.slow
def test_rejected_messages_change_no_reference_no_ledger_and_no_metric(runs):
    still, disturbed = runs
    references = still.grid.__dict__["woven"]
    assert references
    assert disturbed.grid.__dict__["woven"] == references
    for pattern, least in {
        r"ledger\.jsonl$": 3,
        r"ledger\.head$": 3,
        r"releases/.*\.npz$": 3 * 2 * 2,  # silos, seeds, references
        r"^out/metrics\.jsonl$": 1,
        r"^out/wire": 1 + 3 * 2 * 2,
        r"latest\.npz$": 3 * 2 * 2,
    }.items():
        left = still.of(pattern)
        assert len(left) == least, pattern
        assert disturbed.of(pattern) == left, pattern
    assert b'"kind":"charge"' in still.files["state/releases/silo-0/ledger.jsonl"]
    assert {name for name in disturbed.files if disturbed.files[name] != still.files.get(name)} == {
        "out/events.jsonl"
    }
    assert still.files["out/events.jsonl"] == b""


@pytest.mark.slow  # as the runs that it reads
def test_every_rejected_answer_is_in_the_log_with_its_reason(runs):
    _, disturbed = runs
    events = [json.loads(line) for line in disturbed.files["out/events.jsonl"].decode().splitlines()]
    for kind in ("hello", "summarise", "retrain"):
        said = " | ".join({event["reason"] for event in events if event["round"] == kind})
        for reason in (
            "broken",
            "schema version must be",
            "was expected, got 'goodbye'",
            "not JSON",
            "more: unknown key",
            "seed: ",
            "must be finite",
            "must be float64",
            "must be a ConfigRecord",
            "duplicate answer .*, the first is used",
        ):
            assert re.search(reason, said), (kind, reason)
        if kind != "hello":
            assert re.search("answers run another-run", said)
            assert re.search(r"answers as silo-\d, said hello as silo-\d", said)
    assert re.search("a retrain message was expected, got", json.dumps(events))
    assert re.search("asked for 3 to", json.dumps(events)), "an earlier span, sent again"
    refused = set(disturbed.grid.__dict__["refused"])
    assert refused == {(k, n) for k in UNWELCOME for n in (*MALFORMED, *UNWELCOME[k])}
