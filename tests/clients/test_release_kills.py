# SPDX-License-Identifier: Apache-2.0
"""Real processes killed by SIGKILL before every line of the desk's code, and what the next process does.

After any kill: the same bytes or a refusal, and a ledger that never holds less than was drawn.
"""

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tailweave.clients.release
from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.chain import read_ledger
from tailweave.clients.release.desk import Desk, answer
from tailweave.clients.release.ledger import Ledger
from tailweave.clients.release.policy import Policy
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.gate import Cost

ROWS = np.random.default_rng(0).normal(size=(250, 3))
FEATURES = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0)
PRIVACY = PrivacySpec.model_construct(epsilon=2.0)
RHO = 0.1
CODE = str(Path(tailweave.clients.release.__file__).parent)


def desk(folder: Path, releases: int) -> Desk:
    policy = Policy(releases_per_data_version=releases)
    return Desk(folder / "silo", policy, SimpleNamespace(name="system"), lambda rho, delta: 20.0 * rho)


def press(folder: Path, seconds: float = 0.0) -> Callable:
    """Return a maker of releases of fresh bytes; every draw leaves a byte in the file ``draws``."""

    def make(charge):
        charge(Cost(2.0, 1e-6, RHO, "cosine"))
        with (folder / "draws").open("ab") as draws:
            draws.write(b".")
        time.sleep(seconds)
        return {"sums": np.frombuffer(os.urandom(64), dtype=np.uint8).astype(float)}

    return make


def ask(folder: Path, releases: int, seconds: float = 0.0) -> bytes:
    asked = ReleaseRequest(SlicedReference(kind="sliced"), PRIVACY, FEATURES, seed=0)
    return answer(desk(folder, releases), ROWS, asked, press(folder, seconds))["sums"].tobytes()


def draws(folder: Path) -> int:
    return (folder / "draws").stat().st_size if (folder / "draws").exists() else 0


def charged(folder: Path) -> int:
    """How many charges a person would read, torn lines and all that is behind the head included."""
    path = folder / "silo" / "ledger.jsonl"
    return sum(e.kind == "charge" for e in read_ledger(path)) if path.with_suffix(".head").exists() else 0


def before_every_line(act: Callable[[int], None]) -> Callable:
    """Return a tracer that calls ``act`` with 0, 1, ... before each line of the desk and of ``make``."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, argument: object) -> Callable | None:
        if not frame.f_code.co_filename.startswith((CODE, __file__)):
            return None
        if event == "line":
            act(next(lines))
        return trace

    return trace


def steps_that_change_the_disk(folder: Path) -> list[int]:
    """Return the lines before which the folder differs from a line earlier, and one past the last.

    A process killed anywhere else leaves what one killed at such a line leaves.
    """
    seen = []

    def look(step: int) -> None:
        files = [(p.name, p.stat()) for p in sorted(folder.rglob("*"))]
        seen.append([(name, now.st_ino, now.st_size, now.st_mtime_ns) for name, now in files])

    before = sys.gettrace()
    sys.settrace(before_every_line(look))
    try:
        ask(folder, 1)
    finally:
        sys.settrace(before)
    return [i for i in range(len(seen)) if i == 0 or seen[i] != seen[i - 1]] + [len(seen) + 1]


def asked_and_killed(folder: Path, step: int, releases: int) -> tuple[bool, bytes]:
    """Ask in a child that dies at ``step``; return whether it died, and what it had sent by then."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        sent = b""
        try:
            sys.settrace(before_every_line(lambda line: os.kill(os.getpid(), 9 * (line == step))))
            sent = ask(folder, releases)
            sys.settrace(None)
        except BudgetError:
            sys.settrace(None)
        finally:
            os.write(outlet, sent)
            os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet, "rb") as pipe:
        sent = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, sent
    assert os.WEXITSTATUS(status) == 0
    return False, sent


def resumed(folder: Path, releases: int, before: bytes) -> bytes:
    """Ask again in this process; check that it is the same or refused, and that all draws are charged."""
    assert charged(folder) >= draws(folder)
    kept = list((folder / "silo").glob("*.npz"))
    try:
        got = ask(folder, releases)
    except BudgetError:
        assert not before
        assert not kept
        assert charged(folder) >= releases
        return b""
    assert not before or got == before
    assert ask(folder, releases) == got
    with Ledger.open(folder / "silo" / "ledger.jsonl", create=False) as ledger:
        assert ledger.spent() >= RHO * draws(folder) - 1e-12
    return got


@pytest.fixture(scope="module", autouse=True)
def _no_power_cuts():
    """SIGKILL loses nothing that was written, synced or not; test_release_ledger looks at the syncs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def left_behind(make_folder: Callable[[str], Path], steps: Iterable[int]) -> list[tuple[Path, bytes]]:
    """Kill one process a step; return the folder that each leaves and what it had sent."""
    left = []
    for step in steps:
        folder = make_folder("kill")
        died, sent = asked_and_killed(folder, step, releases=1)
        left.append((folder, sent))
        if not died:
            break
    assert not died, "the last process must come through"
    return left


@pytest.fixture(scope="module")
def every_step(tmp_path_factory) -> list[tuple[Path, bytes]]:
    steps = steps_that_change_the_disk(tmp_path_factory.mktemp("look"))
    return left_behind(tmp_path_factory.mktemp, steps)


def test_a_process_can_be_killed_at_every_step_of_an_answer(every_step):
    """What the next tests stand on: the kills met every state between nothing and sent."""
    states = [(charged(f), draws(f), len(list((f / "silo").glob("*.npz")))) for f, _ in every_step]
    assert list(dict.fromkeys(states)) == [(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)]
    heads = {(f / "silo" / "ledger.head").exists() for f, _ in every_step}
    behind = [f for f, _ in every_step if (f / "silo" / "ledger.head").exists() and is_behind(f)]
    assert heads == {True, False}
    assert behind, "no kill fell between a line and its head"
    assert every_step[-1][1], "the last one was not killed"


def is_behind(folder: Path) -> bool:
    path = folder / "silo" / "ledger.jsonl"
    return read_ledger(path)[-1].hash.encode() not in path.with_suffix(".head").read_bytes()


@pytest.mark.parametrize("releases", [1, 2])
def test_after_a_kill_at_any_step_the_same_bytes_or_a_refusal(every_step, tmp_path, releases):
    refused = 0
    for number, (left, sent) in enumerate(every_step):
        folder = shutil.copytree(left, tmp_path / str(number))
        refused += resumed(folder, releases, sent) == b""
    assert (refused > 0) == (releases == 1), "one release a version: a draw that was lost is not drawn again"


@pytest.mark.slow
def test_the_same_when_killed_before_every_single_line(tmp_path_factory):
    for folder, sent in left_behind(tmp_path_factory.mktemp, itertools.count()):
        resumed(folder, 2, sent)


@given(steps=st.lists(st.integers(0, 400), min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
def test_after_several_kills_too(tmp_path_factory, steps):
    folder, sent = tmp_path_factory.mktemp("kills"), b""
    for step in steps:
        _, now = asked_and_killed(folder, step, releases=3)
        assert charged(folder) >= draws(folder)
        assert not sent or now in (b"", sent)
        sent = sent or now
    resumed(folder, 3, sent)


def test_many_at_once_get_one_release(tmp_path):
    """Four processes that ask at the same moment: the lock lets one draw, the others send its bytes."""
    pipes = []
    for _ in range(4):
        inlet, outlet = os.pipe()
        if os.fork() == 0:
            try:
                os.write(outlet, ask(tmp_path, 2, seconds=0.3))
            finally:
                os._exit(0)
        os.close(outlet)
        pipes.append(inlet)
    answers = set()
    for inlet in pipes:
        with os.fdopen(inlet, "rb") as pipe:
            answers.add(pipe.read())
        os.wait()
    assert len(answers) == 1
    assert answers != {b""}
    assert (charged(tmp_path), draws(tmp_path)) == (1, 1)
