# SPDX-License-Identifier: Apache-2.0
"""A whole silo, from the question to the answer on the wire, killed by SIGKILL at every step, and restarted.

What runs is the real ClientApp on a node with a file of rows, a policy of its own and the operating system's
noise; ``test_release_kills`` looks at the desk alone. After any kill the restarted silo sends the same bytes
or refuses, and its ledger holds at least as many charges as noise was drawn.
"""

import gc
import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tailweave import clients, protocols
from tailweave.clients.app import app
from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.chain import read_ledger
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Summarise, SummariseReply
from tailweave.protocols.privacy.calibration import noise_multiplier, rho_of
from tailweave.protocols.records import decode, encode

pytestmark = pytest.mark.slow

pytest.importorskip("opendp")

QUESTION = Summarise(
    run="kills",
    seed=0,
    reference=SlicedReference(kind="sliced", directions=4, coefficients=2),
    privacy=PrivacySpec(epsilon=2.0),
    arrays=with_prefix("features", FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0).arrays()),
)
RHO = rho_of(noise_multiplier(2.0, 1e-6))
CLIENTS, PROTOCOLS = (Path(str(package.__file__)).parent for package in (clients, protocols))
NOISE = str(PROTOCOLS / "privacy" / "noise.py")
STEPS_IN = (
    str(CLIENTS / "release"),
    *(str(CLIENTS / name) for name in ("app.py", "rounds.py", "storage.py")),
    str(PROTOCOLS / "privacy" / "gate.py"),
    NOISE,
    __file__,
)
DRAW = (NOISE, "discrete_gaussian")


@dataclass(frozen=True)
class Place:
    """Where one silo lives: its state and host folders, how often its owner lets these rows be released."""

    folder: Path
    releases: int = 1

    def context(self) -> Context:
        home = self.folder.parent
        node = {
            "name": "north",
            "data": str(home / "rows.csv"),
            "policy": str(home / f"policy-{self.releases}.yaml"),
            "state-dir": str(self.folder / "state"),
            "ledgers": str(self.folder / "host"),
        }
        return Context(1, 5, node, RecordDict(), {})

    @property
    def ledger(self) -> Path:
        found = (self.folder / "host").glob("north-*/")
        return next(found, self.folder / "none") / "ledger.jsonl"

    def charges(self) -> list[float]:
        """What a person would read, a line that its head does not name yet included."""
        if not self.ledger.with_suffix(".head").exists():
            return []
        return [e.rho or 0.0 for e in read_ledger(self.ledger) if e.kind == "charge"]

    def draws(self) -> int:
        path = self.folder / "draws"
        return path.stat().st_size if path.exists() else 0

    def kept(self) -> list[Path]:
        return sorted(self.ledger.parent.glob("*.npz"))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Rows and policies; every silo of the tests is a folder in here."""
    folder = tmp_path_factory.mktemp("home")
    rows = np.random.default_rng(0).normal(size=(280, 3))
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    (folder / "rows.csv").write_text("a,b,c\n" + "\n".join(lines) + "\n")
    for releases in (1, 2):
        (folder / f"policy-{releases}.yaml").write_text(f"releases-per-data-version: {releases}\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_power_cuts():
    """SIGKILL loses nothing that was written, synced or not; test_release_ledger looks at the syncs."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    gc.freeze()  # or each child would copy the pages that it collects in
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield
    gc.unfreeze()


def answer(place: Place) -> bytes:
    """What the silo puts on the wire: message in, message out, by Flower's own calls."""
    question = Message(encode(QUESTION), 5, Summarise.type)
    question.metadata.__dict__["_message_id"] = "question"
    reply = app(question, place.context())
    return b"".join(array.data for array in reply.content["arrays"].values())


def traced(place: Place, act: Callable[[int], None]) -> Callable:
    """Return a tracer that calls ``act`` with 0, 1, ... before each line, and marks every draw of noise."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, argument: object) -> Callable | None:
        if not frame.f_code.co_filename.startswith(STEPS_IN):
            return None
        if event == "line":
            act(next(lines))
        elif event == "call" and (frame.f_code.co_filename, frame.f_code.co_name) == DRAW:
            with (place.folder / "draws").open("ab") as draws:
                draws.write(b".")
        return trace

    return trace


def steps_that_change_the_disk(place: Place) -> list[int]:
    """Return the lines before which the silo's folder differs from a line earlier, and one past the last."""
    seen: list[list[tuple]] = []

    def look(step: int) -> None:
        files = [(str(p), p.stat()) for p in sorted(place.folder.rglob("*"))]
        seen.append([(name, now.st_ino, now.st_size, now.st_mtime_ns) for name, now in files])

    before = sys.gettrace()
    sys.settrace(traced(place, look))
    try:
        answer(place)
    finally:
        sys.settrace(before)
    return [i for i in range(len(seen)) if i == 0 or seen[i] != seen[i - 1]] + [len(seen) - 1, 10**9]


def asked(place: Place, killed_at: int) -> tuple[str, bytes]:
    """Ask a new process, which dies at a step; return how it ended and what it had sent by then."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        code = 2
        try:
            sys.settrace(
                traced(place, lambda line: line == killed_at and os.kill(os.getpid(), signal.SIGKILL))
            )
            try:
                sent = answer(place)
                os.write(outlet, sent)
                code = 0
            except BudgetError:
                code = 1
        finally:
            os._exit(code)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return "killed", sent
    return {0: "answered", 1: "over budget"}[os.WEXITSTATUS(status)], sent


NEVER = -1


def restarted(place: Place, before: bytes) -> str:
    """Start the silo again; check what it sends against what it had sent, and its ledger."""
    assert len(place.charges()) >= place.draws()
    kept = place.kept()
    ended, sent = asked(place, NEVER)
    if ended == "over budget":
        assert not before
        assert not kept
        assert len(place.charges()) == place.releases
    else:
        assert ended == "answered"
        assert sent
        assert before in (b"", sent)
        if not before and place.releases == 1:
            assert asked(place, NEVER) == ("answered", sent)
    assert len(place.charges()) >= place.draws()
    assert sum(place.charges()) >= RHO * place.draws() * (1.0 - 1e-9)
    return ended


def killed_at_each(home: Path, steps: Iterable[int], prefix: str) -> list[tuple[Place, bytes]]:
    """Kill one silo a step; return the places that they leave and what they had sent."""
    left = []
    for number, step in enumerate(steps):
        place = Place(home / f"{prefix}-{number}")
        place.folder.mkdir()
        ended, sent = asked(place, step)
        left.append((place, sent))
        if ended != "killed":
            break
    assert ended == "answered", "the last silo must come through"
    return left


@pytest.fixture(scope="module")
def every_step(home) -> list[tuple[Place, bytes]]:
    warm, looked_at = Place(home / "warm"), Place(home / "looked-at")
    for place in (warm, looked_at):
        place.folder.mkdir()
    answer(warm)  # what is imported or cached at the first question would shift the steps
    return killed_at_each(home, steps_that_change_the_disk(looked_at), "killed")


def test_the_kills_met_every_state_between_the_question_and_the_answer(every_step):
    states = [(len(p.charges()), p.draws(), len(p.kept())) for p, _ in every_step]
    assert list(dict.fromkeys(states)) == [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]
    sent = [bool(sent) for _, sent in every_step]
    assert sent[-1], "the last one came through"
    assert states[sent.index(True) - 1] == (1, 1, 1), "one was killed with all done but the sending"


def copies(left: list[tuple[Place, bytes]], home: Path, releases: int) -> list[tuple[Place, bytes]]:
    made = [(Place(home / f"{place.folder.name}-again-{releases}", releases), sent) for place, sent in left]
    for (old, _), (new, _) in zip(left, made, strict=True):
        shutil.copytree(old.folder, new.folder)
    return made


def lost(place: Place) -> bool:
    """Whether noise was paid for, and perhaps drawn, that no kept release holds."""
    return bool(place.charges()) and not place.kept()


def test_a_restarted_silo_sends_the_same_bytes_or_refuses(every_step, home):
    places = copies(every_step, home, releases=1)
    expected = ["over budget" if lost(place) else "answered" for place, _ in places]
    assert [restarted(place, sent) for place, sent in places] == expected
    assert set(expected) == {"over budget", "answered"}


def test_what_was_lost_is_drawn_and_charged_again_where_the_owner_allows_it(every_step, home):
    places = copies([(place, sent) for place, sent in every_step if lost(place)], home, releases=2)
    assert [restarted(place, sent) for place, sent in places] == ["answered"] * len(places)
    assert {len(place.charges()) for place, _ in places} == {2}


def test_what_it_sends_is_the_answer_that_was_paid_for(every_step):
    """What the other tests stand on: the bytes that they compare are a noised summary, charged as asked."""
    place, sent = every_step[-1]
    message = Message(encode(QUESTION), 5, Summarise.type)
    message.metadata.__dict__["_message_id"] = "question"
    content = app(message, place.context()).content
    reply = decode(content, SummariseReply)
    assert reply.noise == "system"
    assert b"".join(array.data for array in content["arrays"].values()) == sent
    assert place.charges() == pytest.approx([RHO])


@pytest.mark.slow
def test_the_same_when_killed_before_any_fourth_line(home):
    for place, sent in killed_at_each(home, itertools.count(0, 4), "line"):
        restarted(place, sent)
