# SPDX-License-Identifier: Apache-2.0
"""Secure aggregation from configuration to report, twice, and on a state that is there already."""

import json
from pathlib import Path

import pytest

import tailweave
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare

PRIVACY = {"epsilon": 4, "min-rows": 50, "secure-aggregation": True, "honest-silos": 3}
RECURSION = {"generations": 1, "samples": 60, "candidates-per-sample": 2}
SLICED = {"kind": "sliced", "directions": 16, "coefficients": 6}
ARMS = [
    {"name": "no-selection", "rule": "random"},
    {"name": "sliced", "rule": "herding", "reference": SLICED},
]
KEPT = ("metrics.jsonl", "wire.jsonl", "events.jsonl")


def apps(config: Path, folder: Path, out: str = "out") -> dict[str, bytes]:
    prepared = prepare(load_experiment(config))
    prepared.save_kits(folder / "kits")
    settings = {"config": str(config), "out": str(folder / out), "kit": str(folder / "kits")}
    nodes = [{"partition-id": i} for i in range(prepared.experiment.silos.count)]
    run_in_process(nodes, settings | {"state-dir": str(folder / "state")}, workers=0)
    return {name: (folder / out / name).read_bytes() for name in KEPT}


@pytest.mark.slow
def test_a_run_under_masks_gives_a_report_and_its_log_says_so(tiny, tmp_path):
    config = tiny(seeds=1, arms=ARMS, privacy=PRIVACY, recursion=RECURSION)
    report = tailweave.run(config, out=tmp_path / "out").report
    assert "sliced" in report.read_text(encoding="utf-8")
    wire = [json.loads(line) for line in (tmp_path / "out" / "wire.jsonl").read_text().splitlines()]
    assert [row["round"] for row in wire[:9]] == ["hello"] * 3 + ["offer"] * 3 + ["masked"] * 3
    assert {row["privacy"]["epsilon"] for row in wire[6:9]} == {4.0}
    assert not any(row["round"] == "summarise" for row in wire)
    (event,) = map(json.loads, (tmp_path / "out" / "events.jsonl").read_text().splitlines())
    assert event["event"] == "summed"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["revealed"]["epsilon"] == 4.0
    assert summary["revealed"]["summaries"]["messages"] == 3
    assert (summary["events"]["count"], summary["events"]["missing"]) == (0, {})
    assert not (tmp_path / "out" / ".state").exists()  # keys and identities with it


@pytest.mark.slow
def test_masks_change_nothing_that_is_measured(tiny, tmp_path):
    """Keys are random and the sum is not: two runs agree, and so does one on the state that another left."""
    config = tiny(seeds=1, arms=ARMS[1:], privacy=PRIVACY, recursion=RECURSION)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = apps(config, tmp_path / "one")
    assert apps(config, tmp_path / "two") == first
    assert apps(config, tmp_path / "one", "again") == first
    stored = [
        sorted((tmp_path / folder).glob("wire/*.npz")) for folder in ("one/out", "one/again", "two/out")
    ]
    contents = [[path.read_bytes() for path in paths] for paths in stored]
    assert contents[0] == contents[1] != contents[2]
    ledgers = list((tmp_path / "one" / "state").rglob("ledger.jsonl"))
    assert [path.read_text().count('"kind":"charge"') for path in ledgers] == [1, 1, 1]
