# SPDX-License-Identifier: Apache-2.0
"""A diffusion run from the command line: killed while it trains, resumed, and without its packages."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tailweave.clients.telling import TOLD
from tailweave.simulation.run_folder import STATE

GENERATOR = {
    "kind": "diffusion",
    "network": {"kind": "mlp", "hidden": 64, "layers": 1},
    "first-epochs": 20,
    "epochs": 150,
    "batch-size": 16,
    "sampling-steps": 4,
    "device": "cpu",
}
ARMS = [
    {"name": "no-selection", "rule": "random"},
    {"name": "siloed", "rule": "herding", "reference": "local"},
    {
        "name": "sliced",
        "rule": "herding",
        "reference": {"kind": "sliced", "directions": 16, "coefficients": 6},
    },
]
SMALL = {
    "seeds": 1,
    "generator": GENERATOR,
    "arms": ARMS,
    "recursion": {"generations": 2, "samples": 60, "candidates-per-sample": 3},
    "silos": {
        "count": 3,
        "follow": 1,
        "partition": {"kind": "by-class", "classes-per-silo": 2},
        "rows-per-silo": 80,
    },
}
DEADLINE = 900.0
"""Seconds for one process; an idle core needs about 10."""


def finished(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors


def killed_in(arm: str, process: subprocess.Popen, out: Path) -> None:
    """Kill the run when a generation of this arm has been training for a moment."""
    end = time.monotonic() + DEADLINE
    try:
        while not any((out / STATE).glob(f"*/seed-0/*/{arm}/{TOLD}")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "training was never told of"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()


def rows(out: Path) -> dict[tuple, dict]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {(row["arm"], row["silo"], row["generation"]): row for row in lines}


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_arm_killed_while_it_trains_ends_with_the_same_metrics(
    tiny: Callable[..., Path], command_line: Callable[..., subprocess.Popen], tmp_path: Path
):
    config = tiny(**SMALL)
    finished(command_line("run", config, "--out", tmp_path / "whole"))
    whole = rows(tmp_path / "whole")
    assert len(whole) == 3 * 3
    out = tmp_path / "killed"
    for number, arm in enumerate(ARMS):
        resume = ["--resume"] if number else []
        killed_in(arm["name"], command_line("run", config, "--out", out, *resume), out)
    finished(command_line("run", config, "--out", out, "--resume"))
    assert rows(out) == whole
    assert not (out / STATE).exists()


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_without_its_packages_it_is_one_message(
    tiny: Callable[..., Path], command_line: Callable[..., subprocess.Popen], tmp_path: Path
):
    absent = tmp_path / "absent"
    absent.mkdir()
    gone = 'raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n'
    (absent / "torch.py").write_text(gone)
    here = Path(__file__).parents[2]
    process = command_line(
        "run", tiny(**SMALL), "--out", tmp_path / "out", PYTHONPATH=f"{absent}{os.pathsep}{here}"
    )
    text, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert text == ""
    assert errors.split("\n") == [
        "error: a neural network needs torch, which is not installed: pip install 'tailweave[neural]'",
        "",
    ]
    assert not (tmp_path / "out").exists()
