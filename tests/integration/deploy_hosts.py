# SPDX-License-Identifier: Apache-2.0
"""Hosts for the walks through the deployment kit: this one, or network namespaces of its own."""

import datetime as dt
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tailweave.simulation.deploy.preflight import preflight
from tailweave.simulation.deploy.verdict import lines

REPOSITORY = Path(__file__).parents[2]
START_SECONDS, RUN_SECONDS = 240, 420
COLUMNS = ("u", "v", "w")
CONFIG = """
name: walk
seeds: 1
data: {source: csv, path: public.csv, label: kind, standardize: false}
features: {kind: identity}
silos: {count: %d, partition: {kind: iid}}
generator: {kind: gaussian-mixture, components: 2}
recursion: {generations: 2, samples: 100, candidates-per-sample: 2}
arms:
  - {name: siloed, rule: herding, reference: local}
  - {name: collaborative, rule: herding, reference: {kind: sliced, directions: 32, coefficients: 6}}
privacy: {epsilon: 2.0, delta: 1.0e-6, min-rows: 200}
"""


HURRY = """
import sys
if any(word.endswith("flower-supernode") for word in sys.orig_argv):
    import time
    from flwr.supercore import heartbeat
    from flwr.supernode import fleet_http_connection
    for node in (heartbeat, fleet_http_connection):
        node.HEARTBEAT_DEFAULT_INTERVAL = 10
    time.sleep = lambda seconds, sleep=time.sleep: sleep(min(seconds, 1.0))
"""
"""Read by Python at its start: a SuperNode shows life every 10 s, not 30, and looks every second, not third.

How long it waits for a sign of life of the apps that it starts stays as it is: on a busy host an app needs
more than 10 s to begin, and would be started again and again.
"""


def in_a_hurry(folder: Path, more: str = "") -> dict[str, str]:
    """Environment in which SuperNodes waste no time; ``more`` is what all Pythons do at their start."""
    (folder / "sitecustomize.py").write_text(HURRY + more, encoding="utf-8")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}"}


def write_rows(path: Path, rows: int, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(COLUMNS))) * 0.5
    values[:, 0] += shift
    lines = [",".join(f"{x:.4f}" for x in row) + f",{'ab'[int(row[1] > 0)]}\n" for row in values]
    path.write_text(",".join(COLUMNS) + ",kind\n" + "".join(lines), encoding="utf-8")


def free_ports(count: int) -> int:
    """First of ``count`` free ports in a row, below those that the kernel hands out itself."""
    import socket

    rng = np.random.default_rng(int.from_bytes(os.urandom(8)))
    for first in map(int, rng.integers(15000, 32000, size=200)):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


@dataclass
class Host:
    """Where commands run: here, or in a network namespace; which environment's programs they are."""

    prefix: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    programs: Path = Path(sys.executable).parent

    def run(self, *command: object, cwd: Path, seconds: float = START_SECONDS) -> subprocess.CompletedProcess:
        own = {"PYTHONPATH": str(REPOSITORY), "TAILWEAVE_BIN": str(self.programs)}
        return subprocess.run(
            [*self.prefix, *map(str, command)],
            cwd=cwd,
            env=os.environ | own | {"OMP_NUM_THREADS": "1"} | self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def tailweave(
        self, *words: object, cwd: Path, seconds: float = START_SECONDS
    ) -> subprocess.CompletedProcess:
        words = ("-m", "tailweave.simulation.cli", *words)
        return self.run(self.programs / "python", *words, cwd=cwd, seconds=seconds)

    def check(self, folder: Path, *flags: str) -> tuple[int, str]:
        done = self.tailweave("deploy", "check", *flags, ".", cwd=folder)
        return done.returncode, done.stdout + done.stderr

    def looked_at(self, folder: Path) -> str:
        """What a quick check tells; on this host without a process, whose imports cost seconds a look."""
        if self.prefix:
            return self.check(folder, "--quick")[1]
        try:
            verdicts = preflight(folder, now=dt.datetime.now(dt.UTC), prove=False)
        except ValueError as error:
            return f"error: {error}"
        return "\n".join(lines(verdicts, running=False))

    def await_check(self, folder: Path, *wanted: str, seconds: float = START_SECONDS) -> str:
        """Check until each of ``wanted`` stands in one line (words in order, any spaces)."""
        end = time.monotonic() + seconds
        while True:
            told = self.looked_at(folder)
            shown = [" ".join(line.split()) for line in told.splitlines()]
            missing = [words for words in wanted if not any(words in line for line in shown)]
            if not missing:
                return told
            assert time.monotonic() < end, f"{missing} not in time in:\n{told}"
            time.sleep(2.0 if self.prefix else 0.5)


def edit(path: Path, old: str, new: str) -> None:
    """Change a file that may be read-only, as its owner does."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    mode = path.stat().st_mode
    path.chmod(mode | stat.S_IWUSR)
    path.write_text(text.replace(old, new), encoding="utf-8")
    path.chmod(mode)


def make_kit(
    folder: Path, silos: Sequence[str], *, host: str = "localhost", maker: Host | None = None
) -> Path:
    """Make a kit with the command line, put data and a label into each silo, and a config beside it."""
    options = [word for name in silos for word in ("--silo", name)]
    made = (maker or Host()).tailweave(
        "deploy", "init", folder, *options, "--host", host, "--port", str(free_ports(30)), cwd=folder.parent
    )
    assert made.returncode == 0, made.stderr
    for number, name in enumerate(silos):
        silo = folder / "silos" / name
        write_rows(silo / "data.csv", 300, float(number), number)
        edit(silo / "node.yaml", "label: null", "label: kind")
    write_rows(folder.parent / "public.csv", 400, 1.0, 99)
    (folder.parent / "walk.yaml").write_text(CONFIG % len(silos), encoding="utf-8")
    return folder


def no_namespaces() -> str | None:
    """Why network namespaces cannot be used here, or None."""
    if shutil.which("ip") is None:
        return "no ip command (iproute2)"
    name = f"twprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces are not permitted here: {made.stderr.strip()}"
    try:
        link = ["ip", "-n", name, "link", "add", "br0", "type", "bridge"]
        bridge = subprocess.run(link, capture_output=True, text=True, check=False)
        return None if bridge.returncode == 0 else f"no bridge in a namespace: {bridge.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
