# SPDX-License-Identifier: Apache-2.0
"""Schemes I and II from configuration to report, by Flower messages, against the same maths in memory."""

import json

import numpy as np
import pytest

import tailweave
from tailweave.clients.node import world_of
from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.protocols.transport.free_support import free_support, tolerance_sq
from tailweave.server.federation import Federation
from tailweave.server.record import Record
from tailweave.server.rounds import greet, summarise
from tailweave.server.seed_run import SeedRun
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.paper.fedwad import fedwad
from tailweave.simulation.prepare import prepare
from tailweave.simulation.revealed import revealed
from tailweave.simulation.run_folder import RunFolder

ATOMS = 30
SCHEMES = {
    "seeds": [0],
    "arms": [
        {
            "name": "scheme-one",
            "rule": "nash",
            "reference": {"kind": "geodesic", "support": ATOMS, "rounds": 3},
        },
        {
            "name": "scheme-two",
            "rule": "top-potential",
            "reference": {"kind": "barycenter", "support": ATOMS, "iterations": 3},
        },
        {
            "name": "entropic",
            "rule": "herding",
            "reference": {
                "kind": "barycenter",
                "support": ATOMS,
                "iterations": 2,
                "transport": "entropic",
                "entropic-reg": 100,
                "weights": "rows",
            },
        },
    ],
    "privacy": {"allow-raw-row-leakage": True},
}


@pytest.fixture
def woven(tiny, tmp_path):
    """What the federation makes for the three arms; the silos' features; the public samples."""
    config = tiny(**SCHEMES)
    experiment = load_experiment(config)
    kit = prepare(experiment).kits[0]
    settings = {"config": str(config), "state-dir": str(tmp_path / "state")}
    grid = InProcessGrid([{"partition-id": i} for i in range(3)], settings, workers=0)
    federation = Federation(grid, experiment, "r", Record(tmp_path / "out"))
    made = summarise(SeedRun(federation, 0, kit), greet(SeedRun(federation, 0, kit)))
    references = [made[arm.reference, experiment.privacy] for arm in experiment.arms]
    silos = [kit.features(silo.train.values) for silo in world_of(config, 0).silos]
    return references, silos, kit.samples[:ATOMS]


def test_the_federation_computes_what_one_machine_would(woven):
    (one, two, entropic), silos, public = woven
    for rows, found in zip(silos, one["interpolants"], strict=True):
        # BLAS may round a product otherwise in another thread count; the maps are the same
        np.testing.assert_allclose(found, fedwad(public, rows, public, rounds=3).support, atol=1e-9)
    stop = tolerance_sq(public)
    alike = free_support(silos, np.ones(3), public, iterations=3, tolerance_sq=stop)
    np.testing.assert_allclose(two["support"], alike.support, atol=1e-9)
    soft = free_support(silos, np.ones(3), public, iterations=2, tolerance_sq=stop, entropic_reg=100.0)
    np.testing.assert_allclose(entropic["support"], soft.support, atol=1e-9)  # equal rows, equal weights


@pytest.mark.slow
def test_one_command_runs_both_schemes_and_says_what_leaked(tiny, tmp_path):
    out = tmp_path / "run"
    with pytest.warns(UserWarning, match="reference geodesic reveals projections of real rows"):
        tailweave.run(tiny(**SCHEMES), out=out)
    rows = RunFolder(out).metrics()
    assert {(row["arm"], row["generation"]) for row in rows} == {
        (arm["name"], g) for arm in SCHEMES["arms"] for g in range(4)
    }
    wire = [json.loads(line) for line in (out / "wire.jsonl").read_text().splitlines()]
    sent = [row for row in wire if row["round"] == "transport"]
    assert [row["kind"] for row in sent] == ["geodesic"] * 9 + ["barycenter"] * 15
    counted = revealed(wire, {"privacy": {"epsilon": 2.0}})
    assert counted["summaries"]["messages"] == 24
    assert counted["epsilon"] is None  # whatever the other arms promise
    assert (out / "report.html").stat().st_size > 0


@pytest.mark.parametrize("kind", ["geodesic", "barycenter"])
def test_without_the_permission_nothing_is_read(tiny, tmp_path, kind):
    arms = [{"name": "scheme", "rule": "herding", "reference": kind}]
    with pytest.raises(ConfigError, match=r"100 % of them.*privacy.allow-raw-row-leakage: true"):
        tailweave.run(tiny(arms=arms), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
