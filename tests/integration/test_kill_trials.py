# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random moments, one process at a time: every run finishes or is resumed, to the same metrics.

Targets: a worker, a Ray actor, the command itself, and on a federation made by ``tailweave deploy init`` a
SuperNode, its executor, the SuperLink, the ServerApp, the SuperExec that runs it, a silo's ClientApp, and a
SuperNode that never returns. Moments are seeded random shares of the undisturbed run's duration.
``make kills`` runs ``KILL_TRIALS`` of each; without it there is one of a worker. The nodes are in a hurry:
they look for messages and show signs of life more often, or a SuperNode's trial would take two minutes. The
outcomes are printed as a table.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from deploy_hosts import CONFIG as FEDERATED
from deploy_hosts import REPOSITORY, RUN_SECONDS, Host, in_a_hurry, make_kit
from victims import command, find, kill, of_file

from tailweave.protocols.streams import stream

TRIALS = int(os.environ.get("KILL_TRIALS", "0"))
"""Of each target; even one takes many minutes. Without a number there is one worker's."""
TABLE = os.environ.get("KILL_TABLE")
"""File that the outcomes are written to as well."""
SILOS = ("north", "south", "west")
LOCAL = {
    "name": "killed",
    "seeds": 1,
    "data": {"source": "digits", "evaluation-fraction": 0.1},
    "features": {"kind": "pca", "dimensions": 6},
    "silos": {"count": 3, "partition": {"kind": "by-class", "classes-per-silo": 2}, "rows-per-silo": 80},
    "generator": {"kind": "gaussian-mixture", "components": 6},
    "recursion": {"generations": 60, "samples": 100, "candidates-per-sample": 3},
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {
            "name": "sliced",
            "rule": "herding",
            "reference": {"kind": "sliced", "directions": 16, "coefficients": 6},
        },
    ],
    "evaluation": {"samples": 60},
}
DEPLOYED = {
    "name": "killed",
    "recursion": {"generations": 20, "samples": 200, "candidates-per-sample": 3},
    "federation": {"generations-per-message": 10},
}
PATIENCE = 3 * RUN_SECONDS
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * PATIENCE)]


@dataclass
class Outcome:
    """One line of the table."""

    target: str
    share: float
    moment: str = ""
    happened: str = "-"
    resumed: int = 0
    equal: str = "no"


@dataclass
class Scene:
    """One experiment on one engine, and what its undisturbed run gave."""

    config: Path
    engine: tuple[str, ...]
    seconds: float = 0.0
    metrics: bytes = b""
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, out: Path, *more: str, config: Path | None = None) -> subprocess.Popen:
        command = [
            sys.executable,
            "-m",
            "tailweave.simulation.cli",
            "run",
            config or self.config,
            "--out",
            out,
        ]
        own = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            [*map(str, command), *self.engine, *more],
            env=os.environ | own | self.environment,
            cwd=self.config.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def undisturbed(self, out: Path) -> "Scene":
        begun = time.monotonic()
        process = self.start(out)
        assert process.wait(PATIENCE) == 0, process.stdout.read()
        self.seconds = time.monotonic() - begun
        self.metrics = (out / "metrics.jsonl").read_bytes()
        return self


def lines(outcomes: list[Outcome]) -> str:
    heads = ("target", "share", "moment", "what happened", "resumed", "metrics equal")
    rows = [heads]
    for o in outcomes:
        rows.append((o.target, f"{o.share:.2f}", o.moment, o.happened, "yes" if o.resumed else "no", o.equal))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    text = [" | ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    kept = sum(o.equal.startswith("yes") for o in outcomes)
    return "\n".join(["", *text, f"{len(outcomes)} kills, {kept} as promised", ""])


@pytest.fixture(scope="module")
def outcomes(request) -> Iterator[list[Outcome]]:
    """One a trial; printed as a table when all are done."""
    made: list[Outcome] = []
    yield made
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stdout.write(lines(made) + "\n")


@pytest.fixture
def table(outcomes) -> Iterator[list[Outcome]]:
    """The table as far as it is known, in a file too."""
    yield outcomes
    if TABLE:
        Path(TABLE).write_text(lines(outcomes), encoding="utf-8")


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """A folder with a short path: Ray's sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="tw", dir="/tmp") as folder:
        yield Path(folder)


def local(folder: Path, *engine: str, **environment: str) -> Scene:
    config = folder / "killed.yaml"
    config.write_text(yaml.safe_dump(LOCAL, sort_keys=False), encoding="utf-8")
    return Scene(config, engine, environment=environment).undisturbed(folder / "undisturbed")


@pytest.fixture(scope="module")
def workers(tmp_path_factory) -> Scene:
    return local(tmp_path_factory.mktemp("workers"), "--workers", "2")


@pytest.fixture(scope="module")
def ray(tmp_path_factory, short) -> Scene:
    return local(tmp_path_factory.mktemp("ray"), "--engine", "ray", TMPDIR=str(short))


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Host:
    """This host, with nodes in a hurry."""
    return Host(environment=in_a_hurry(tmp_path_factory.mktemp("hurry")))


@pytest.fixture(scope="module")
def kit(tmp_path_factory, host) -> Iterator[Path]:
    made = make_kit(tmp_path_factory.mktemp("deployed") / "kit", SILOS)
    try:
        started = host.run(made / "start.sh", cwd=made)
        assert started.returncode == 0, started.stdout + started.stderr
        host.await_check(made, *(f"ok silo {name} online" for name in SILOS))
        yield made
    finally:
        host.run(made / "stop.sh", cwd=made)


@pytest.fixture(scope="module")
def deployed(kit) -> Scene:
    config = kit.parent / "killed.yaml"
    raw = yaml.safe_load(FEDERATED % len(SILOS)) | DEPLOYED
    config.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    scene = Scene(config, ("--engine", "superlink", "--federation", str(kit)))
    return scene.undisturbed(kit.parent / "undisturbed")


Finder = Callable[[subprocess.Popen, Path], int | None]
"""From the running command and the kit to the process that is to die."""


def of_command(word: str) -> Finder:
    return lambda running, kit: find(lambda: running.pid, word)


def of_part(folder: str, part: str, word: str) -> Finder:
    return lambda running, kit: find(of_file(kit / folder / "state" / f"{part}.pid"), word)


TARGETS: dict[str, tuple[str, Finder]] = {
    "worker": ("workers", of_command("multiprocessing.spawn")),
    "command": ("workers", lambda running, kit: running.pid),
    "Ray actor": ("ray", of_command("ray::ClientAppActor")),
    "command on a federation": ("deployed", lambda running, kit: running.pid),
    "SuperNode": ("deployed", of_part("silos/south", "supernode", "flower-supernode")),
    "SuperLink": ("deployed", of_part("server", "superlink", "flower-superlink")),
    "ServerApp": ("deployed", of_part("server", "superexec", "flwr-serverapp")),
    "executor": ("deployed", of_part("silos/south", "executor", "deploy executor")),
    "SuperExec": ("deployed", of_part("server", "superexec", "flower-superexec")),
    "ClientApp": ("deployed", of_part("silos/west", "executor", "tailweave.simulation.deploy.app_process")),
}
CASES = [(target, number) for target in TARGETS for number in range(TRIALS or target == "worker")]


def stage(out: Path) -> str:
    """What the server had heard and measured by then."""
    wire, metrics = out / "wire.jsonl", out / "metrics.jsonl"
    rounds = (
        [json.loads(line)["round"] for line in wire.read_bytes().split(b"\n")[:-1]] if wire.exists() else []
    )
    rows = metrics.read_bytes().count(b"\n") if metrics.exists() else 0
    return f"after {rounds[-1]}, {rows} rows" if rounds else "before hello"


def strike(scene: Scene, finder: Finder, out: Path, outcome: Outcome, kit: Path) -> subprocess.Popen:
    """Start a run and kill its victim at the moment, or as soon after it as there is one."""
    begun = time.monotonic()
    running = scene.start(out)
    try:
        time.sleep(outcome.share * scene.seconds)
        victim = None
        while victim is None and running.poll() is None:
            assert time.monotonic() - begun < PATIENCE, f"nothing to kill: {outcome.target}"
            time.sleep(0.005)
            victim = finder(running, kit)
        if victim is not None:
            outcome.moment = f"{time.monotonic() - begun:.1f} s, {stage(out)}"
            kill(victim)
    except BaseException:
        running.kill()
        running.communicate()
        raise
    return running


def finish(scene: Scene, running: subprocess.Popen, out: Path, outcome: Outcome) -> str:
    """Let the run end, go on with it where it failed; return all that was printed.

    Once is enough, but where a SuperLink that was killed is not there again yet.
    """
    told, _ = running.communicate(timeout=PATIENCE)
    outcome.happened = f"exit code {running.returncode}"
    while running.returncode != 0 and outcome.resumed < (2 if outcome.target == "SuperLink" else 1):
        outcome.resumed += 1
        running = scene.start(out, *(["--resume"] if (out / "config.yaml").exists() else []))
        more, _ = running.communicate(timeout=PATIENCE)
        outcome.happened += f", resumed: {running.returncode}"
        told += more
    return told


def trial(scene: Scene, finder: Finder, outcome: Outcome, folder: Path, kit: Path) -> None:
    for attempt in range(4):
        out = folder / f"out-{attempt}"
        running = strike(scene, finder, out, outcome, kit)
        if outcome.moment:
            break
        running.communicate(timeout=PATIENCE)  # it was over before its end could be met
        outcome.share *= 0.8
    told = finish(scene, running, out, outcome)
    assert outcome.moment, "no run was met alive"
    assert (out / "report.html").exists(), told
    outcome.equal = "yes, byte for byte" if (out / "metrics.jsonl").read_bytes() == scene.metrics else "NO"


@pytest.mark.parametrize(("target", "number"), CASES)
def test_a_kill_changes_no_metric(request, table, tmp_path, target, number):
    name, finder = TARGETS[target]
    kit = request.getfixturevalue("kit") if name == "deployed" else tmp_path
    scene = request.getfixturevalue(name)
    outcome = Outcome(target, stream(number, "kills", target).uniform(0.05, 0.9))
    table.append(outcome)
    trial(scene, finder, outcome, tmp_path, kit)
    assert outcome.equal.startswith("yes")
    if name == "deployed":
        request.getfixturevalue("host").await_check(kit, *(f"ok silo {silo} online" for silo in SILOS))


@pytest.mark.skipif(not TRIALS, reason="make kills runs it")
def test_a_silo_that_never_returns_is_named_and_the_others_finish(table, host, kit, deployed, tmp_path):
    outcome, out, west = Outcome("SuperNode, never back", 0.0), tmp_path / "out", kit / "silos/west"
    table.append(outcome)
    raw = yaml.safe_load(deployed.config.read_text(encoding="utf-8"))
    config = deployed.config.with_name("impatient.yaml")
    raw["federation"]["return-seconds"] = 10.0
    config.write_text(yaml.safe_dump(raw), encoding="utf-8")
    begun, running = time.monotonic(), deployed.start(out, config=config)
    try:
        while "summarise" not in stage(out):
            assert running.poll() is None, running.communicate()[0]
            assert time.monotonic() - begun < PATIENCE
            time.sleep(0.05)
        watch = of_file(west / "state/supernode.pid")()
        assert "watch supernode" in command(watch)
        node = find(lambda: watch, "flower-supernode")
        outcome.moment = f"{time.monotonic() - begun:.1f} s, {stage(out)}"
        outcome.share = (time.monotonic() - begun) / deployed.seconds
        kill(watch)  # or it would start the node again
        kill(node)
        told, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == 0, told
    finally:
        running.kill()
        running.communicate()
        host.run(west / "supernode-west.sh", "start", cwd=west)
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    events = [event for event in events if event["event"] != "kept"]
    assert {(event["silo"], event["round"]) for event in events} == {("west", "retrain")}
    assert {event["arm"] for event in events} == {"collaborative", "siloed"}
    assert all("the node cannot be reached" in event["reason"] for event in events)
    assert "west: refused or missing (retrain)" in " ".join(told.split())
    assert "the node cannot be reached" in (out / "report.html").read_text(encoding="utf-8")
    outcome.happened = "exit code 0, west named as missing"
    wanted = [line for line in deployed.metrics.splitlines() if b'"silo": "west"' not in line]
    assert (out / "metrics.jsonl").read_bytes().splitlines() == wanted
    outcome.equal = "yes, the others'"
