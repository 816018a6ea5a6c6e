# SPDX-License-Identifier: Apache-2.0
"""What a Flower user does: a fresh clone, ``flwr run .``; ``make flower-versions`` tries each Flower."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tailweave.simulation.engines.control import environment, program
from tailweave.simulation.engines.keeper import heirs, sweep

REPOSITORY = Path(__file__).parents[2]
ARMS = ("no-selection", "siloed", "anchored", "collaborative")
SECONDS = 600
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS)]


@pytest.fixture(scope="module")
def clone() -> Iterator["Clone"]:
    """The checkout's files as git has them, a home of its own, and the SuperLink that ``flwr run`` starts.

    One of the quickstart's three seeds: a bare run takes no settings, and the others show nothing more.
    """
    with tempfile.TemporaryDirectory(prefix="tw", dir="/tmp") as folder:  # short: Ray's sockets lie below it
        made = Clone(Path(folder))
        quickstart = made.app / "configs/quickstart.yaml"
        text = quickstart.read_text(encoding="utf-8")
        assert "\nseeds: 3\n" in text
        quickstart.write_text(text.replace("\nseeds: 3\n", "\nseeds: 1\n"), encoding="utf-8")
        try:
            yield made
        finally:
            made.stop()


class Clone:
    def __init__(self, folder: Path) -> None:
        self.app, self.home = folder / "tailweave", folder / "home"
        self.home.mkdir()
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=REPOSITORY, text=True).splitlines():
            source, target = REPOSITORY / name, self.app / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target, follow_symlinks=False)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        own = {"HOME": str(self.home), "RAY_TMPDIR": folder, "FLWR_LOCAL_SUPERLINK_HTTP_API_PORT": str(port)}
        self.environment = environment(self.home) | {key: str(value) for key, value in own.items()}
        self.environment.pop("PYTHONPATH", None)

    def flwr(self, *words: str) -> subprocess.CompletedProcess:
        command = [program("flwr"), *words]
        return subprocess.run(
            command,
            cwd=self.app,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def status(self) -> str:
        """Status of the last run; ``flwr run`` exits with 0 whatever became of it."""
        return json.loads(self.flwr("list", "--format", "json").stdout)["runs"][0]["status"]

    def stop(self) -> None:
        """Stop the SuperLink, which no command of Flower's stops, and what it started."""
        for left in heirs(self.home):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGTERM)
        end = time.monotonic() + 3
        while heirs(self.home) and time.monotonic() < end:
            time.sleep(0.1)
        sweep(self.home)


def test_a_bare_run_prints_its_table_and_where_the_report_is(clone):
    done = clone.flwr("run", ".", "--stream")
    assert done.returncode == 0, done.stderr
    assert clone.status() == "finished:completed", done.stdout
    assert "configs/quickstart.yaml over 2 silos, one a node" in done.stdout
    assert "Traceback" not in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert [row.split()[1] for row in rows] == list(ARMS)
    report = Path(re.search(r"report: (\S+/report.html)", done.stdout)[1])
    assert report.is_relative_to(clone.home)
    assert "<style>" in report.read_text(encoding="utf-8")
    modes = {name: arm["last"]["modes_covered"]["mean"] for name, arm in summary(report)["arms"].items()}
    assert modes["collaborative"] > 9 > 7 > modes["siloed"]  # a silo alone keeps its own five digits


def test_a_config_for_more_silos_is_refused_at_once_with_the_remedy(clone):
    done = clone.flwr("run", ".", "--stream", "--run-config", 'config="configs/quickstart.yaml"')
    assert (
        "2 nodes, configs/quickstart.yaml 5 silos: add --federation-config 'num-supernodes=5" in done.stdout
    )
    assert "Traceback" not in done.stdout
    assert clone.status() == "finished:failed"


def test_a_bundle_is_built_from_the_clone(clone):
    done = clone.flwr("build")
    assert done.returncode == 0, done.stderr
    assert len(list(clone.app.glob("*.fab"))) == 1


def summary(report: Path) -> dict:
    return json.loads(report.with_name("summary.json").read_text(encoding="utf-8"))
