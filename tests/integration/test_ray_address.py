# SPDX-License-Identifier: Apache-2.0
"""A run in a Ray cluster of two nodes that were there before: as in process, and the cluster stays."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.conftest import SINGLE_THREADED, TINY

SMALL = {
    "seeds": 1,
    "recursion": {"generations": 1, "samples": 60, "candidates-per-sample": 3},
    "arms": TINY["arms"][1:3],  # siloed and sliced
}
PATIENCE_SECONDS = 120.0
NODES = "import json, ray; ray.init(address='{}', logging_level=50); print(json.dumps(len(ray.nodes())))"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
pytest.importorskip("ray")


def _free_port() -> int:
    """One that the kernel hands out: Ray's own workers take those from 10,002 to 19,999."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _nodes(address: str) -> int:
    said = subprocess.run(
        [sys.executable, "-c", NODES.format(address)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return json.loads(said.stdout) if said.returncode == 0 else 0


@pytest.fixture
def cluster():
    """The address of a cluster of two nodes of one core, both on this machine."""
    ray, port = Path(sys.executable).with_name("ray"), _free_port()
    address, started = f"127.0.0.1:{port}", []
    quiet = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # short: sockets lie below it
        head = ["--head", "--port", str(port), "--include-dashboard=false", "--temp-dir", folder]
        for role in (head, ["--address", address]):
            log = (Path(folder) / f"log-{len(started)}").open("wb")
            started.append(
                subprocess.Popen(
                    [ray, "start", *role, "--num-cpus", "1", "--block"],
                    stdout=log,
                    stderr=log,
                    env=quiet,
                    start_new_session=True,
                )
            )
            end = time.monotonic() + PATIENCE_SECONDS
            while _nodes(address) < len(started):
                assert time.monotonic() < end, "a node of the cluster did not start"
        yield address
        for node in reversed(started):
            node.terminate()
            node.wait(PATIENCE_SECONDS)
        for node in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)


def test_a_cluster_that_is_there_is_joined_and_stays(tiny, cluster, tmp_path):
    config = tiny(**SMALL)
    found = []
    for name, engine in (("here", []), ("there", ["--engine", "ray", "--address", cluster])):
        done = subprocess.run(
            [sys.executable, "-m", "tailweave", "run", config, "--out", tmp_path / name, *engine],
            env=os.environ | SINGLE_THREADED,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        found.append(sorted((tmp_path / name / "metrics.jsonl").read_text().splitlines()))
    assert found[0] == found[1]
    assert _nodes(cluster) == 2
