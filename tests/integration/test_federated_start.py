# SPDX-License-Identifier: Apache-2.0
"""Runs that start by FedAvg or from a file: to the report, killed and resumed, audited, and on workers."""

import re
import shutil
import time
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import tailweave
from tailweave.clients.node import world_of
from tailweave.protocols.base_file import load_base
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.recorded import attack_recorded
from tailweave.simulation.audit.report import headline
from tailweave.simulation.run_folder import RunFolder

pytestmark = pytest.mark.slow

CONSENT = {"privacy": {"allow-parameter-release": True}}
GAUSSIAN = {"kind": "gaussian", "ridge": 0.001, "start": "federated"}
MIXTURE = {"kind": "gaussian-mixture", "components": 3, "ridge": 0.01, "start": "federated"}
SMALL = {
    "seeds": 1,
    "data": {"source": "gaussian-modes", "rows": 700, "dimensions": 3, "modes": 3, "rare-modes": 0},
    "features": {"kind": "identity"},
    "silos": {"count": 3, "partition": {"kind": "dirichlet", "alpha": 0.5}},
    "recursion": {"generations": 2, "samples": 60},
    "arms": [
        {"name": "alone", "rule": "random"},
        {"name": "anchored", "rule": "herding", "reference": "public"},
    ],
}


def made(config: Path, out: Path, *, workers: int = 0, resume: bool = False) -> Path:
    tailweave.run(config, out=out, workers=workers, resume=resume)
    return out


def text(folder: Path) -> str:
    page = (folder / "report.html").read_text(encoding="utf-8")
    return " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())


def test_a_run_starts_from_the_gaussian_of_all_silos_rows(tiny, tmp_path):
    federation = {"weight-cap": None}
    config = tiny(**SMALL, generator=GAUSSIAN, federation=federation, **CONSENT)
    out = made(config, tmp_path / "out")
    silos = [silo.train.values for silo in world_of(config, 0).silos]
    wire = RunFolder(out).wire()
    assert sum(row["round"] == "fit" for row in wire) == 3
    steps = np.outer(10 ** np.arange(4), [1, 2, 5]).ravel()  # in which hello counts rows
    weights = np.array([steps[steps <= len(rows)].max() for rows in silos])
    mean = np.average([rows.mean(axis=0) for rows in silos], axis=0, weights=weights)
    kind, base = load_base(out / "base" / "seed-0.npz")
    assert kind == "gaussian"
    np.testing.assert_allclose(base["mean"], mean, atol=1e-9)
    said = text(out)
    assert "All arms start from one generator that the silos fitted together, by FedAvg" in said
    assert "FedAvg before generation 0 reveals each silo's own fit to the server, without noise" in said
    assert "model/second" in said
    assert RunFolder(out).events() == []


def test_the_file_that_a_run_kept_starts_another_with_the_same_first_model(tiny, tmp_path):
    config = tiny(**SMALL, generator=GAUSSIAN, **CONSENT)
    first = made(config, tmp_path / "first")
    shutil.copy(first / "base" / "seed-0.npz", tmp_path / "base.npz")
    from_file = {"kind": "gaussian", "ridge": 0.001, "start": {"path": "base.npz"}}
    out = made(tiny("second.yaml", **SMALL, generator=from_file), tmp_path / "second")
    rows = [
        next(row for row in RunFolder(folder).metrics() if (row["arm"], row["generation"]) == ("alone", 0))
        for folder in (first, out)
    ]
    assert rows[0]["frechet"] == rows[1]["frechet"]
    assert "in a file that each node has: base.npz" in text(out)
    assert not any(row["round"] == "fit" for row in RunFolder(out).wire())


def test_the_audit_names_the_parameters_as_not_covered(tiny, tmp_path):
    config = tiny(**SMALL, generator=GAUSSIAN, **CONSENT)
    out = made(config, tmp_path / "out")
    experiment = load_experiment(config)
    for result in (audit(experiment, "config"), attack_recorded(RunFolder(out), experiment)):
        [own] = [f for f in result.findings if f.role in ("as configured", "as recorded")]
        assert own.verdict == "not attacked"
        assert "not covered by this audit: generator.start: federated reveals" in own.note
        assert headline(result) == "No privacy guarantee is claimed; 1 of 1 releases were not attacked"


def test_workers_make_the_same_metrics(tiny, tmp_path):
    config = tiny(**SMALL, generator=MIXTURE | {"federated-rounds": 4}, **CONSENT)
    one, two = made(config, tmp_path / "one"), made(config, tmp_path / "two", workers=2)
    for name in ("metrics.jsonl", "wire.jsonl"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("after", [4, 61])
def test_a_run_killed_between_rounds_goes_on_to_the_same_bytes(command_line, tiny, tmp_path, after):
    config = tiny(**SMALL, generator=MIXTURE | {"federated-rounds": 40}, **CONSENT)
    undisturbed, out = made(config, tmp_path / "undisturbed"), tmp_path / "out"
    process = command_line("run", config, "--out", out)
    wire, end = out / "wire.jsonl", time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if wire.exists() and wire.read_bytes().count(b"\n") >= after:
            break
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert b'"retrain"' not in wire.read_bytes()  # it was killed in the middle of FedAvg
    made(config, out, resume=True)
    for name in ("metrics.jsonl", "wire.jsonl", "base/seed-0.npz"):
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
