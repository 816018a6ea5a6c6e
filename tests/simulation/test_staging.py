# SPDX-License-Identifier: Apache-2.0
"""A run folder before the apps run, and again when an interrupted run goes on."""

import json

import pytest

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.kit import PublicKit
from tailweave.simulation.prepare import prepare
from tailweave.simulation.staging import make_folder


@pytest.fixture
def prepared(tiny):
    return prepare(load_experiment(tiny(seeds=1)))


def test_the_folder_holds_what_the_apps_read(prepared, tmp_path):
    job = make_folder(prepared, tmp_path / "deep" / "out", {"engine": "x"}, "0a1b2c3d")
    assert job.run_config.keys() == {
        "config",
        "out",
        "kit",
        "state-dir",
        "run-id",
        "silos",
        "log-format",
    }
    assert load_experiment(job.out / "config.yaml") == prepared.experiment
    assert PublicKit.load(job.state / "kits" / "seed-0.npz").features == prepared.kits[0].features
    made = json.loads((job.out / "environment.json").read_text())
    assert made["engine"] == "x"
    assert made["run"].startswith("tiny-")
    assert made["run"].endswith("-0a1b2c3d")


@pytest.mark.parametrize("run_id", ["0a1b2c3d", ""])
def test_an_interrupted_run_keeps_its_id(prepared, tmp_path, run_id):
    first = make_folder(prepared, tmp_path, {}, run_id)
    again = make_folder(prepared, tmp_path, {}, "ffffffff" if run_id else "")
    assert first.run_id == again.run_id == run_id
    assert first == again


def test_silos_that_are_elsewhere_are_not_judged_by_those_cut_here(tiny):
    small = load_experiment(tiny(seeds=1, privacy={"min-cluster-size": 79, "min-rows": 200}))
    with pytest.raises(ValueError, match="every silo needs at least 79 training rows"):
        prepare(small)
    assert not any("smallest silo" in warning for warning in prepare(small, silos_elsewhere=True).warnings)
