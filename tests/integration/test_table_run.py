# SPDX-License-Identifier: Apache-2.0
"""configs/table.yaml, in one seed, two arms and three generations; exported rows fit their own schema."""

from pathlib import Path

import pytest
import yaml

import tailweave
from tailweave.clients.data.sources import load_rows
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.cli import main
from tailweave.simulation.run_folder import RunFolder

CONFIG = Path(__file__).parents[2] / "configs" / "table.yaml"
SHORT = ("seeds=1", "recursion.generations=3")
ALONE = {"dest=LGB": "b6", "dest=SNA": "ua", "dest=PVD": "ev"}
"""Destinations that one airline alone flies to."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    out = tmp_path_factory.mktemp("table") / "run"
    raw = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    raw["arms"] = [arm for arm in raw["arms"] if arm["name"] in ("siloed", "collaborative")]
    raw["data"]["path"] = str(CONFIG.parent / raw["data"]["path"])
    short = out.with_name("short.yaml")
    short.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    tailweave.run(short, out=out, overrides=SHORT)
    return RunFolder(out)


def kept(folder: RunFolder, arm: str) -> float:
    """Mean share of its truth that a destination has on the silos that never saw it."""
    last = [row for row in folder.metrics() if row["arm"] == arm and row["generation"] == 3]
    found = [row[f"level_kept/{name}"] for row in last for name, own in ALONE.items() if row["silo"] != own]
    assert len(found) == 9
    return sum(found) / 9


@pytest.mark.slow
def test_a_silo_keeps_what_it_never_saw_only_with_the_others(folder):
    assert kept(folder, "siloed") < 0.3
    assert 0.6 < kept(folder, "collaborative") < 1.4


@pytest.mark.slow
def test_exported_rows_are_read_by_the_same_declarations(folder, tmp_path, monkeypatch):
    out = tmp_path / "x.csv.gz"
    command = ("export", str(folder.path), "--arm", "collaborative", "--silo", "dl", "--rows", "10000")
    monkeypatch.setattr("sys.argv", ["tailweave", *command, "-o", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    data = load_experiment(folder.path / "config.yaml").data
    rows, _ = load_rows(data.model_copy(update={"path": str(out)}), seed=0)  # a bad cell would be an error
    assert len(rows) == 10_000
