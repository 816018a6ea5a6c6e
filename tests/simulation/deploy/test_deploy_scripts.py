# SPDX-License-Identifier: Apache-2.0
"""The start scripts with real settings, and programs in Flower's place that only say how they were called."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tailweave.simulation.deploy.kit import Plan, init

STANDIN = """#!/bin/sh
echo "$CUDA_VISIBLE_DEVICES|$CUDA_DEVICE_ORDER|$PWD|$*" > "$OUT/$$"
trap 'echo stopped >> "$OUT/$$"; exit 0' TERM
while :; do sleep 0.05; done
"""


@pytest.fixture
def world(tmp_path):
    """Environment of the scripts: our own command line, and stand-ins for Flower's programs."""
    programs, out = tmp_path / "bin", tmp_path / "out"
    programs.mkdir()
    out.mkdir()
    for name in ("flower-superlink", "flower-superexec", "flwr", "flower-supernode"):
        (programs / name).write_text(STANDIN)
    (programs / "tailweave").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m tailweave.simulation.cli "$@"\n'
    )
    for path in programs.iterdir():
        path.chmod(0o755)
    repository = str(Path(__file__).parents[3])
    return {**os.environ, "TAILWEAVE_BIN": str(programs), "OUT": str(out), "PYTHONPATH": repository}


@pytest.fixture
def gpu_kit(tmp_path):
    folder = tmp_path / "kit of GPUs"
    init(folder, Plan(("north", "south"), port=24000, gpus=2), now=dt.datetime.now(dt.UTC))
    for name in ("north", "south"):
        (folder / "silos" / name / "data.csv").write_text("u\n1\n2\n3\n")
    return folder


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def call(script, *arguments, env):
    return subprocess.run([script, *arguments], env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_one_supernode_per_gpu_started_seen_and_stopped(gpu_kit, world):
    out = Path(world["OUT"])
    scripts = [gpu_kit / "silos" / name / f"supernode-{name}.sh" for name in ("north", "south")]
    try:
        for script in scripts:
            started = call(script, "start", env=world)
            assert started.returncode == 0, started.stderr
        until(lambda: len([path for path in out.iterdir() if path.read_text().endswith("\n")]) == 2)
        told = sorted(path.read_text().split("|") for path in out.iterdir())
        assert [line[0] for line in told] == ["0", "1"]
        assert {line[1] for line in told} == {"PCI_BUS_ID"}
        assert [line[2] for line in told] == [str(s.parent / "state/work") for s in scripts]
        assert all(
            "--auth-supernode-private-key" in line[3] and "--root-certificates" in line[3] for line in told
        )
        assert "--insecure" not in "".join(line[3] for line in told)
        assert "is running already" in call(scripts[0], "start", env=world).stdout
        assert "supernode is running, process" in call(scripts[0], "status", env=world).stdout
    finally:
        stopped = [call(script, "stop", env=world).stdout for script in scripts]
    assert stopped == ["executor stopped\nsupernode stopped\n"] * 2
    assert all(path.read_text().endswith("stopped\n") for path in out.iterdir())
    assert "supernode is not running" in call(scripts[0], "status", env=world).stdout


@pytest.mark.slow
def test_a_part_that_crashes_is_started_again_after_the_delay(gpu_kit, world):
    script = gpu_kit / "silos/north/supernode-north.sh"
    script.write_text(script.read_text().replace("delay=20 ", "delay=1 "))
    out = Path(world["OUT"])
    try:
        call(script, "start", env=world)
        until(lambda: len(list(out.iterdir())) == 1)
        os.kill(int(next(out.iterdir()).name), signal.SIGKILL)
        until(lambda: len(list(out.iterdir())) == 2)
    finally:
        call(script, "stop", env=world)
    log = (script.parent / "state/supernode.log").read_text()
    assert "supernode ended with exit code 137; it is started again in 1 s" in log


@pytest.mark.slow
def test_a_silo_that_cannot_work_does_not_start(gpu_kit, world):
    (gpu_kit / "silos/north/data.csv").write_text("")
    refused = call(gpu_kit / "silos/north/supernode-north.sh", "start", env=world)
    assert refused.returncode == 2
    assert "error: silo north: " in refused.stderr
    assert "the file is empty" in refused.stderr
    assert "remedy: " in refused.stderr
    assert list(Path(world["OUT"]).iterdir()) == []


def test_wrong_calls_and_a_missing_environment_are_told(gpu_kit, world, tmp_path):
    script = gpu_kit / "server/superlink.sh"
    for arguments in ([], ["fly"], ["run"], ["run", "wing"]):
        told = call(script, *arguments, env=world)
        assert told.returncode == 2
        assert "superlink.sh" in told.stderr
    bare = {**world, "TAILWEAVE_BIN": str(tmp_path), "PATH": "/usr/bin:/bin"}
    told = call(script, "start", env=bare)
    assert told.returncode == 2
    assert "is not on the PATH: activate the environment" in told.stderr
