# SPDX-License-Identifier: Apache-2.0
"""A run of a few seconds that touches everything: 4 arms, 2 seeds, 3 silos, 3 generations."""

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import tailweave

TINY = {
    "name": "tiny",
    "seeds": 2,
    "data": {"source": "digits", "evaluation-fraction": 0.1},
    "features": {"kind": "pca", "dimensions": 6},
    "silos": {"count": 3, "partition": {"kind": "by-class", "classes-per-silo": 2}, "rows-per-silo": 80},
    "generator": {"kind": "gaussian-mixture", "components": 4},
    "recursion": {"generations": 3, "samples": 60, "candidates-per-sample": 3},
    "arms": [
        {"name": "no-selection", "rule": "random"},
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {
            "name": "sliced",
            "rule": "herding",
            "reference": {"kind": "sliced", "directions": 16, "coefficients": 6},
        },
        {
            "name": "quantized",
            "rule": "partial-transport",
            "reference": {"kind": "quantized", "clusters": 4, "samples": 60},
        },
    ],
    "federation": {"generations-per-message": 2},
    "evaluation": {"samples": 60},
}
LONG = (
    "integration/test_engines_agree.py",
    "integration/test_deploy_walk.py",
    "integration/test_main_line.py",
    "integration/test_node_faults.py",
    "security/test_controls_removed.py",
    "integration/test_memorization_study.py",
    "integration/test_diffusion_run.py",
    "integration/test_flwr_run.py",
    "security/test_code_door_deployed.py",
    "integration/test_kill_trials.py",
    "integration/test_other_packages.py",
    "security/test_gate_idle.py",
    "clients/test_silo_kills.py",
)
"""Files that take a minute and more. They begin first: the last one would leave the other process idle."""
SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(scope="module", autouse=True)
def _ledgers_of_its_own(tmp_path_factory) -> Iterator[None]:
    """Keep the ledgers of real nodes, this process's and its children's, out of the developer's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILWEAVE_LEDGERS", str(tmp_path_factory.mktemp("host") / "ledgers"))
        yield


def _write(path: Path, changes: dict) -> Path:
    path.write_text(yaml.safe_dump(TINY | changes, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of the tiny configuration; keywords replace top-level keys."""
    return lambda name="tiny.yaml", **changes: _write(tmp_path / name, changes)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The run folder of the tiny configuration, made once in this process; do not change it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(action="ignore"):
        patch.setattr(sys, "argv", ["tailweave", "run", "tiny.yaml"])
        tailweave.run(_write(folder / "tiny.yaml", {}), out=folder / "run")
    return folder / "run"


@pytest.fixture
def command_line() -> Callable[..., subprocess.Popen]:
    """Return a starter of ``tailweave`` in its own process, with pipes for what it prints."""

    def start(*arguments: str | Path, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "tailweave", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | SINGLE_THREADED | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment,
        )

    return start
