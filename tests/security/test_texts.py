# SPDX-License-Identifier: Apache-2.0
"""What a silo writes does nothing where it is shown: files of the run, terminal, report.

A real server is answered by silos that send any text wherever one fits: as an error, as the name of a record,
a key, a silo, a metric, a node. Nothing that it writes holds a control character, and markup stays text.
"""

import json
import logging
import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from flwr.app import ArrayRecord, ConfigRecord, Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tailweave.clients.app import app
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.logs import log_file
from tailweave.protocols.messages import Hello, HelloReply, Retrain, RetrainReply
from tailweave.protocols.records import MessageError, encode
from tailweave.protocols.visible import LONGEST, visible
from tailweave.server.exchange import connected
from tailweave.server.failure import RunFailed
from tailweave.server.federation import Federation
from tailweave.server.flower_errors import reason
from tailweave.server.questions import Member
from tailweave.server.record import Record
from tailweave.simulation import cli
from tailweave.simulation.outcome import print_outcome
from tailweave.simulation.pages import write_pages
from tailweave.simulation.run_folder import RunFolder

RAW = {
    "name": "texts",
    "seeds": [0],
    "data": {"source": "wine"},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [{"name": "alone", "rule": "random"}],
    "federation": {"deadline-seconds": 0.05, "return-seconds": 0.05, "min-clients": 1},
}
EXPERIMENT = Experiment.model_validate(RAW)
ESCAPES = "\x1b[2J\x1b]0;mine\x07\x1b]8;;http://evil\x1b\\here"
NASTY = (
    ESCAPES,
    "one\ntwo\r\nthree\x85four\u2028five",
    "\x9b31mred\x7f\x00",
    "\u202egnp.exe\u2066\u200b\ufeff\U000e0041",
    "\ud800",
    "[red]red[/red] [link=http://evil]here[/link] :smile: [/] [bold",
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&",
    "$\\frac{$ $x^$ {{ 7*7 }} %s {0}",
    "x" * 10_000,
    "\x1b" * 10_000,
)
TEXTS = st.text(max_size=60) | st.text(alphabet="\x1b\x9b\n\r\u202e\u2028[]/<>ab", max_size=60)


@dataclass
class Mouthpiece(Grid):
    """Two nodes; what each answers is given, as errors or records, in the order in which it is asked."""

    says: dict[int, list[Error | RecordDict]]
    names: dict[int, str] = field(default_factory=dict)
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
        return list(self.says)

    def get_nodes(self):
        return [type("Node", (), {"node_id": node, "name": self.names.get(node, "")}) for node in self.says]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        pushed = list(messages)
        for message in pushed:
            message.metadata.__dict__["_message_id"] = uuid.uuid4().hex
            for said in self.says[message.metadata.dst_node_id]:
                self._ready.append(Message(said, reply_to=message))
        return [message.metadata.message_id for message in pushed]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        wanted = set(message_ids)
        replies = [reply for reply in self._ready if reply.metadata.reply_to_message_id in wanted]
        self._ready = [reply for reply in self._ready if reply not in replies]
        return replies


def hello(**changes) -> RecordDict:
    """Answer ``hello``; keywords replace or add keys of the body."""
    content = encode(HelloReply(run="r", seed=0, silo="north", columns=2, rows_at_least=20))
    body = json.loads(str(content["message"]["body"])) | {
        key.replace("_", "-"): v for key, v in changes.items()
    }
    content["message"]["body"] = json.dumps(body)
    return content


def metrics(names: list[str]) -> RecordDict:
    """Answer ``retrain`` with metrics of these names."""
    head = {"run": "r", "seed": 0, "silo": "node-1", "arm": "alone", "start": 0, "stop": 1}
    plain = tuple(f"mode_share/{number}" for number in range(len(names)))
    generations, places = np.divmod(np.arange(2.0 * len(names)), len(names))
    arrays = {"generations": generations, "metrics": places, "values": np.full(2 * len(names), 0.5)}
    content = encode(RetrainReply(**head, names=plain, arrays=arrays))
    body = json.loads(str(content["message"]["body"])) | {"names": names}
    content["message"]["body"] = json.dumps(body)
    return content


def other_kind(text: str) -> RecordDict:
    content = hello()
    content["message"]["kind"] = text
    return content


WAYS = {
    "error": lambda text: Error(2, text),
    "error of a handler": lambda text: Error(2, f"<class 'X'>:<'{text}'>"),
    "error of a node": lambda text: Error(6, text),
    "unknown error": lambda text: Error(77, text),
    "silo": lambda text: hello(silo=text),
    "run": lambda text: hello(run=text),
    "key": lambda text: hello(**{text: 1}),
    "nested": lambda text: hello(columns={text: [text]}),
    "kind": other_kind,
    "record": lambda text: RecordDict({"message": ConfigRecord({}), text: ConfigRecord({})}),
    "array": lambda text: RecordDict({"message": ConfigRecord({text: "x"}), "arrays": ArrayRecord()}),
}


def ask(out: Path, says: list[Error | RecordDict], names: dict[int, str] | None = None) -> str:
    """Let a server ask ``hello`` of a silo that says this; return what it stops with."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    grid = Mouthpiece({1: says}, names or {})
    federation = Federation(grid, EXPERIMENT, "r", Record(out))
    with log_file(out, "json"):
        federation.ask([(Member(1, "node-1"), Hello(run="r", seed=0))], HelloReply)
        with pytest.raises(RunFailed) as caught:
            federation.require(0)
    federation.record.close()
    return str(caught.value)


def raw_controls(text: str) -> set[str]:
    """Return what a terminal or an editor would obey, joiners of letters aside."""
    harmful = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return harmful - {"\u200c", "\u200d"}


def check_files(out: Path) -> None:
    for name in ("events.jsonl", "log.jsonl", "metrics.jsonl", "wire.jsonl"):
        lines = (out / name).read_bytes().decode("utf-8") if (out / name).exists() else ""
        assert lines == "" or lines.endswith("\n")
        for line in lines.split("\n"):
            assert raw_controls(line) == set(), name
            assert len(line) < LONGEST + 1000
            assert raw_controls(json.loads(line).get("reason") or "" if line else "") == set()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(WAYS)), TEXTS)
@example("key", NASTY[0])
@example("key", NASTY[-1])
@example("error", "\ud800")
def test_whatever_a_silo_says_the_files_of_the_run_hold_no_control_character(tmp_path_factory, way, text):
    out = tmp_path_factory.mktemp("run")
    said = ask(out, [WAYS[way](text)])
    check_files(out)
    assert raw_controls(said.replace("\n", "")) == set()
    assert said.count("\n") <= 1  # one a refusal, which is ours


@pytest.mark.parametrize("way", WAYS)
def test_the_worst_of_them_together(tmp_path, way, capsys, monkeypatch):
    said = ask(tmp_path, [WAYS[way](text) for text in NASTY if text.isprintable() or way != "record"])
    check_files(tmp_path)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert {event["event"] for event in events} == {"refused"}
    assert all(len(event["reason"]) <= LONGEST for event in events)

    def fails(**_: object) -> None:
        raise RunFailed(said)

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit):
        cli.main()
    shown = capsys.readouterr().err
    assert raw_controls(shown.replace("\n", "")) == set()
    assert shown == f"run failed: {said}\n"


@pytest.mark.parametrize("text", NASTY[:5])
def test_a_servers_words_are_not_obeyed_by_a_nodes_terminal_either(caplog, text):
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    content = encode(Hello(run="r", seed=0))
    content["message"]["body"] = json.dumps({"run": "r", "seed": 0, text: 1})
    question = Message(content, 5, "query.hello")
    question.metadata.__dict__["_message_id"] = "q"
    with caplog.at_level(logging.INFO, "tailweave.clients"), pytest.raises(MessageError):
        app(question, Context(1, 5, {}, RecordDict(), {}))
    (said,) = [record.getMessage() for record in caplog.records if record.name == "tailweave.clients"]
    assert said.startswith("refused hello: ")
    assert raw_controls(said) == set()


def test_a_nodes_name_is_shown_and_not_obeyed():
    names = connected(Mouthpiece({1: [], 2: []}, {1: f"north{ESCAPES}", 2: "y" * 9999}))
    assert names == {1: visible(f"north{ESCAPES}"), 2: "y" * 63 + "…"}
    assert raw_controls("".join(names.values())) == set()


def retrain() -> Retrain:
    return Retrain(
        run="r",
        seed=0,
        arm=ArmSpec.model_validate(RAW["arms"][0]),
        generator=RAW["generator"],
        recursion={"generations": 1, "samples": 20},
        start=0,
        stop=1,
    )


def measured(out: Path, names: list[str]) -> list[dict]:
    """Let a server ask ``retrain`` and record the answer; return the events."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    federation = Federation(Mouthpiece({1: [metrics(names)]}), EXPERIMENT, "r", Record(out))
    for _, reply in federation.ask([(Member(1, "node-1"), retrain())], RetrainReply):
        federation.record.measured(reply)
    federation.record.close()
    return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS.filter(lambda text: text < "\ud800" or text > "\udfff"), min_size=1, max_size=3))
@example(["\x9b31m"])
@example(["\u202egnp"])
@example(["a", ESCAPES])
def test_whatever_metrics_are_called(tmp_path_factory, names):
    out = tmp_path_factory.mktemp("run")
    events = measured(out, [*(f"mode_share/{name}" for name in names), *names[1:]])
    check_files(out)
    rows = (out / "metrics.jsonl").read_text().splitlines()
    assert bool(rows) != bool(events)  # measured, or refused by name


def test_two_names_that_would_be_shown_alike_are_refused(tmp_path):
    (event,) = measured(tmp_path, ["mode_share/a\tb", "mode_share/a\\tb"])
    assert "names must differ" in event["reason"]


def test_names_of_classes_in_any_script_stay_as_they_are(tmp_path):
    names = [
        f"mode_share/{label}"
        for label in ("ö-Ü", "日本　語", "می\u200cخواهم", "क्\u200dष", "👩\u200d⚕️ ok", "a b")
    ]
    assert measured(tmp_path, names) == []
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert list(row)[4:] == names


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> RunFolder:
    """The folder of a run whose silo says the worst, with its report."""
    out = tmp_path_factory.mktemp("reported") / "run"
    ask(out, [WAYS[way](text) for way in ("error", "key") for text in NASTY])
    labels = ["a", *(text for text in NASTY if len(text) < 180 and text.isprintable()), NASTY[0], "\x9b31m"]
    measured(out, ["coverage", *(f"mode_share/{label}" for label in labels)])
    (out / "config.yaml").write_text(yaml.safe_dump(EXPERIMENT.model_dump(mode="json", by_alias=True)))
    (out / "environment.json").write_text("{}")
    write_pages(RunFolder(out))
    return RunFolder(out)


def test_the_report_shows_it_as_text(reported):
    html = (reported.path / "report.html").read_text(encoding="utf-8")
    assert raw_controls(re.sub(r"[\n\t]", "", html)) == set()
    page = Page(html)
    assert {tag for tag, _ in page.elements} & {"script", "img", "iframe", "a", "object"} == set()
    assert [name for _, given in page.elements for name in given if name.startswith("on")] == []
    text = "".join(page.text)
    assert NASTY[6] in text
    assert NASTY[5] in text
    assert "\\x1b[2J" in text


def test_so_does_the_terminal(reported):
    shown = StringIO()
    print_outcome(reported.path, Console(file=shown, width=200, force_terminal=True, color_system=None))
    found = shown.getvalue()
    assert raw_controls(found.replace("\n", "")) == set()
    assert "[link=http://evil]here[/link] :smile: [/] [bold" in found.replace("\n", "") or "\\x" in found


@pytest.mark.parametrize("text", ["", "plain", "ö ✓ 👩\u200d⚕️", "日本　語", "no\u00a0break"])
def test_harmless_text_stays(text):
    assert visible(text) == text


@given(st.text(max_size=300), st.integers(2, 200))
def test_what_is_visible_stays_so_and_is_short(text, longest):
    shown = visible(text, longest)
    assert raw_controls(shown) == set()
    assert len(shown) <= longest
    assert visible(shown, longest) == shown
    shown.encode("utf-8")


def test_escapes_are_pythons_own():
    assert visible("a\x1b[0m\n\u202e\ud800\U000e0041") == "a\\x1b[0m\\n\\u202e\\ud800\\U000e0041"
    assert visible("x" * 10, 4) == "xxx…"
    assert visible("\x1b" * 5, 4) == "\\x1…"


def test_a_reason_is_still_in_the_handlers_own_words():
    assert reason(2, "<class 'Refusal'>:<'too few rows'>") == "too few rows"
