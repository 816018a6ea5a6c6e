# SPDX-License-Identifier: Apache-2.0
"""The same experiment on every engine: the metrics agree to 1e-9, of numbers, of texts and under noise.

The federation is a real one on loopback: a SuperLink with TLS and node authentication, three SuperNodes with
keys of their own, a process for each message. Such a process imports all that it needs, so each arm has
something that no other has. Whatever is started here has a keeper, which stops it even when this process is
killed.
"""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from deploy_hosts import in_a_hurry

from tailweave.protocols.node_keys import make_node_keys
from tailweave.protocols.streams import stream
from tailweave.simulation.deploy.certificates import make_ca, make_server
from tailweave.simulation.engines import keeper
from tailweave.simulation.engines.control import environment, program

REPOSITORY = Path(__file__).parents[2]
RUN = [sys.executable, "-m", "tailweave.simulation.cli", "run"]
SILOS = 3
SLICED = {"kind": "sliced", "directions": 64}
CONFIG = {
    "name": "agree",
    "seeds": 1,
    "data": {"source": "digits", "evaluation-fraction": 0.4},
    "features": {"kind": "pca", "dimensions": 20},
    "silos": {"count": SILOS, "partition": {"kind": "by-class", "classes-per-silo": 4}},
    "public": {"class-weights": {"5": 0.11, "6": 0.11, "7": 0.11, "8": 0.11, "9": 0.11}},
    "generator": {"kind": "gaussian-mixture", "components": 10},
    "recursion": {"generations": 3, "samples": 200, "candidates-per-sample": 3},
    "arms": [
        {"name": "collaborative", "rule": "herding", "reference": SLICED},
        {"name": "private", "rule": "herding", "reference": SLICED, "epsilon": 8},
    ],
}
WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
TEXT = CONFIG | {
    "data": {"source": "jsonl", "path": "own.jsonl", "group": "group", "evaluation-fraction": 0.3},
    "features": {"kind": "hidden-states", "dimensions": 4},
    "silos": {"count": SILOS, "partition": {"kind": "by-class", "classes-per-silo": 1}},
    "public": {"fraction": 0.3},
    "generator": {
        "kind": "language-model",
        "temperature": 0.8,
        "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
        "real-tokens": 8,
        "synthetic-tokens": 8,
        "first-epochs": 2,
        "epochs": 1,
        "learning-rate": 0.01,
        "device": "cpu",
    },
    "recursion": {"generations": 2, "samples": 20, "candidates-per-sample": 2},
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {"name": "gated", "rule": "gated-herding", "reference": SLICED},
    ],
    "evaluation": {"samples": 20},
}
START_SECONDS, RUN_SECONDS = 120, 600
pytestmark = [pytest.mark.slow, pytest.mark.timeout(RUN_SECONDS + START_SECONDS)]
Rows = dict[tuple[str, str, int], dict[str, float]]


def metrics(out: Path) -> Rows:
    rows = map(json.loads, (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return {(row.pop("arm"), row.pop("silo"), row.pop("generation")): row for row in rows}


def assert_agree(found: Rows, wanted: Rows) -> None:
    assert set(found) == set(wanted)
    for key, row in wanted.items():
        assert found[key] == pytest.approx(row, abs=1e-9, rel=0.0), key


def write_documents(path: Path) -> None:
    rng = stream(0, "documents")
    with path.open("w", encoding="utf-8") as file:
        for number in range(210):
            words = rng.choice(WORDS[number % SILOS :], 12)
            file.write(json.dumps({"text": " ".join(words), "group": f"g{number % SILOS}"}) + "\n")


@pytest.fixture(scope="module", params=["numbers", "text"])
def config(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("agree") / "agree.yaml"
    content = {"numbers": CONFIG, "text": TEXT}[request.param]
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    write_documents(path.with_name("own.jsonl"))
    return path


numbers_only = pytest.mark.parametrize("config", ["numbers"], indirect=True)


@pytest.fixture(scope="module")
def tailweave(config) -> Callable[..., subprocess.CompletedProcess]:
    def call(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*RUN, str(config), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    return call


@pytest.fixture(scope="module")
def wanted(tailweave, config) -> Rows:
    """Metrics of the engine in process."""
    out = config.parent / "in-process"
    done = tailweave("--out", out)
    assert done.returncode == 0, done.stderr
    found, asked = metrics(out), yaml.safe_load(config.read_text(encoding="utf-8"))
    assert len(found) == SILOS * len(asked["arms"]) * (asked["recursion"]["generations"] + 1)
    last = [
        row for (_, _, generation), row in found.items() if generation == asked["recursion"]["generations"]
    ]
    assert {str(row) for row in last} > {str(last[0])}, "nothing differs: agreeing shows nothing"
    return found


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def keep(home: Path, *command: str, **more: str) -> subprocess.Popen:
    home.mkdir(parents=True)
    return subprocess.Popen(
        [sys.executable, "-P", keeper.__file__, str(home), *command],
        env=environment(home) | {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1", **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def certificates(folder: Path) -> list[str]:
    """Write what the SuperLink and its silos identify themselves with; return the SuperLink's flags."""
    now = dt.datetime.now(dt.UTC)
    ca = make_ca("agree", now=now)
    server = make_server(ca, ["127.0.0.1"], now=now)
    files = {"ca.crt": ca.certificate, "server.pem": server.certificate, "server.key": server.key}
    for silo in range(SILOS):
        keys = make_node_keys(f"silo-{silo}")
        files |= {f"silo-{silo}.key": keys.private, f"silo-{silo}.pub": keys.public}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    flags = {"ca-certfile": "ca.crt", "certfile": "server.pem", "keyfile": "server.key"}
    return [word for flag, name in flags.items() for word in (f"--ssl-{flag}", str(folder / name))]


def describe(folder: Path, control: int, others: list[int]) -> None:
    description = {
        "schema": 1,
        "superlink": {
            "host": "127.0.0.1",
            "control-port": control,
            "fleet-port": others[0],
            "health-port": others[1],
        },
        "certificates": {"ca": "ca.crt"},
        "silos": [{"name": f"silo-{i}", "public-key": f"silo-{i}.pub"} for i in range(SILOS)],
    }
    (folder / "federation.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")


def flwr(home: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [program("flwr"), *arguments, "federation", "--format", "json"],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"success": False, "said": done.stderr}


def until(what: str, there: Callable[[], bool], *, pause: float = 0.5) -> None:
    end = time.monotonic() + START_SECONDS
    while not there():
        assert time.monotonic() < end, f"{what}: not within {START_SECONDS} s"
        time.sleep(pause)


def listens(port: int) -> bool:
    """Whether a SuperLink is there; cheaper than to start ``flwr`` for each look."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def federation(tmp_path_factory) -> Iterator[Path]:
    """A running federation; yields the folder that describes it."""
    folder = tmp_path_factory.mktemp("federation")
    address = free_ports(3 + SILOS)
    flags = certificates(folder)
    describe(folder, address[0], address[1:3])
    link, hurry = f"127.0.0.1:{address[0]}", in_a_hurry(tmp_path_factory.mktemp("hurry"))
    auth = ["--enable-supernode-auth", "--disable-runtime-dependency-installation", "--host", "127.0.0.1"]
    started = [
        keep(folder / "superlink", program("flower-superlink"), *flags, *auth, "--port", str(address[0]))
    ]
    try:
        home, ca = folder / "operator", folder / "ca.crt"
        home.mkdir()
        text = f'[superlink.federation]\naddress = "{link}"\nroot-certificates = "{ca}"\n'
        (home / "config.toml").write_text(text)
        until("SuperLink", lambda: listens(address[0]))
        for i in range(SILOS):
            home_of = folder / f"node-{i}"
            registered = subprocess.run(
                [program("flwr"), "supernode", "register", str(folder / f"silo-{i}.pub"), "federation"]
                + ["--name", f"silo-{i}"],
                env=environment(home),
                capture_output=True,
                timeout=START_SECONDS,
                check=False,
            )
            assert registered.returncode == 0, registered.stderr
            settings = f'partition-id={i} num-partitions={SILOS} state-dir="{folder}/state-{i}"'
            node = ["--superlink", link, "--root-certificates", str(ca), "--port", str(address[3 + i])]
            key = ["--auth-supernode-private-key", str(folder / f"silo-{i}.key"), "--node-config", settings]
            started.append(keep(home_of, program("flower-supernode"), *node, *key, **hurry))
        until("SuperNodes", lambda: online(flwr(home, "supernode", "list")) == SILOS, pause=2.0)
        yield folder
    finally:
        for process in reversed(started):
            process.stdin.close()
        for process in started:
            process.wait(60)


def online(listed: dict) -> int:
    return sum("online" in str(node.get("status")) for node in listed.get("nodes", []))


def test_two_workers_agree(tailweave, wanted, tmp_path):
    done = tailweave("--out", tmp_path / "out", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert_agree(metrics(tmp_path / "out"), wanted)


@pytest.fixture
def temporary(monkeypatch) -> Iterator[Path]:
    """A folder for temporary files with a short path: Ray's sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="tw", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@numbers_only
def test_ray_agrees_and_leaves_nothing_behind(tailweave, wanted, tmp_path, temporary):
    done = tailweave("--out", tmp_path / "out", "--engine", "ray")
    assert done.returncode == 0, done.stderr
    assert_agree(metrics(tmp_path / "out"), wanted)
    left = [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")]
    assert left == []  # but for a cache of torch's own
    assert processes_below(temporary) == []


@numbers_only
def test_an_interrupted_run_on_ray_leaves_nothing_behind(config, tmp_path, temporary):
    out = tmp_path / "out"
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tailweave.simulation.cli",
            "run",
            str(config),
            "--out",
            str(out),
            "--engine",
            "ray",
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("run on Ray", lambda: "Flower Simulation" in text(out / "server.log"))
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 128 + signal.SIGTERM
        until("end of all processes", lambda: processes_below(temporary) == [])
        until("end of the folder", lambda: list(temporary.iterdir()) == [])
    finally:
        started.kill()
        started.wait()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


@numbers_only
def test_flwr_run_on_the_repository_agrees(wanted, config, tmp_path, temporary):
    home, out = temporary / "home", tmp_path / "out"
    (port,) = free_ports(1)
    server = [program("flower-superlink"), "--insecure", "--simulation", "--host", "127.0.0.1"]
    started = keep(home, *server, "--port", str(port), RAY_TMPDIR=str(home))
    try:
        (home / "config.toml").write_text(
            f'[superlink.federation]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
        )
        until("SuperLink", lambda: listens(port))
        done = subprocess.run(
            [program("flwr"), "run", str(REPOSITORY), "federation", "--stream"]
            + ["--run-config", f'config="{config}" out="{out}"']
            + ["--federation-config", f"num-supernodes={SILOS} client-resources-num-cpus=1"],
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert flwr(home, "list")["runs"][0]["status"] == "finished:completed", done.stdout
        assert f"report: {out}/report.html" in done.stdout
    finally:
        started.stdin.close()
        started.wait(60)
    assert_agree(metrics(out), wanted)
    assert {"maps.npz", "summary.json"} <= {path.name for path in out.iterdir()}
    assert not (out / ".state").exists()


def processes_below(folder: Path) -> list[str]:
    """Processes whose environment names a folder of ours."""
    marks = [f"{name}={folder}".encode() for name in ("FLWR_HOME", "RAY_TMPDIR")]
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environ = path.read_bytes()
        except OSError:
            continue
        found += [path.parent.name] * any(mark in environ for mark in marks)
    return found


def assert_all_rounds_and_a_report(out: Path) -> None:
    rounds = [json.loads(line)["round"] for line in (out / "wire.jsonl").read_text().splitlines()]
    assert sorted(set(rounds)) == ["hello", "retrain", "summarise"]
    assert "report.html" in {path.name for path in out.iterdir()}


@pytest.mark.parametrize("config", ["text"], indirect=True)
def test_superlink_with_three_supernodes_agrees(tailweave, wanted, federation, tmp_path):
    done = tailweave("--out", tmp_path / "out", "--engine", "superlink", "--federation", federation)
    assert done.returncode == 0, done.stderr
    assert_agree(metrics(tmp_path / "out"), wanted)
    assert_all_rounds_and_a_report(tmp_path / "out")


@numbers_only
def test_a_command_that_was_killed_finds_its_run_again_and_agrees(wanted, federation, config, tmp_path):
    """In two messages an arm, so that a silo goes on from what another process has kept."""
    out = tmp_path / "out"
    command = [*RUN, str(config), "--out", str(out), "--set", "federation.generations-per-message=2"]
    command += ["--engine", "superlink", "--federation", str(federation)]
    given = {"env": os.environ | {"PYTHONPATH": str(REPOSITORY)}, "stderr": subprocess.PIPE, "text": True}
    runs = len(flwr(federation / "operator", "list")["runs"])
    first = subprocess.Popen(command, **given)
    until("submission", lambda: (out / ".state" / "flower-run.json").exists())
    first.kill()
    first.communicate()
    done = subprocess.run([*command, "--resume"], **given, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert len(flwr(federation / "operator", "list")["runs"]) == runs + 1  # the same one, not another
    assert_agree(metrics(out), wanted)
    assert_all_rounds_and_a_report(out)
