# SPDX-License-Identifier: Apache-2.0
"""Silos with declared tables of their own agree on the block, and a bad cell is its owner's business."""

import json
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest
import yaml
from pyarrow import parquet

from tailweave.clients import generators
from tailweave.clients.checkpoints import Checkpoint
from tailweave.clients.sorts_table import Table
from tailweave.protocols.config.columns import features_of
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.streams import stream
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare

BLOCK = {
    "age": {"kind": "integer", "min": 0, "max": 120, "optional": True},
    "sex": {"kind": "category", "values": ["m", "f", "d"]},
    "smoker": "boolean",
    "seen": {"kind": "date", "min": "2024-01-01", "max": "2024-12-31"},
    "id": "ignore",
}
CONFIG = {
    "name": "declared",
    "seeds": 1,
    "data": {"source": "csv", "path": "public.csv", "label": "kind", "columns": BLOCK},
    "silos": {"count": 5, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian-mixture", "components": 2},
    "recursion": {"generations": 2, "samples": 40},
    "arms": [{"name": "together", "rule": "herding", "reference": {"kind": "sliced", "directions": 32}}],
    "privacy": {"min-rows": 20},
    "evaluation": {"samples": 40},
}
POLICY = "allow-no-privacy: true\nlifetime-epsilon: null\nmin-rows: 20\n"
REFUSED = (
    "failed at hello (DataError)",
    "its columns are declared otherwise than the federation's",
    "it has a table of 1 columns, the federation has a table of declared columns; set columns",
)


def cells(name: str, count: int = 120) -> dict[str, list]:
    rng = stream(0, "rows", name)
    return {
        "id": [f"{name}-{i}" for i in range(count)],
        "seen": (np.datetime64("2024-01-01") + rng.integers(366, size=count)).tolist(),
        "smoker": (rng.random(count) < 0.3).tolist(),
        "age": [None if rng.random() < 0.1 else age for age in rng.integers(20, 90, size=count).tolist()],
        "sex": rng.choice(["m", "f", "d"], count, p=[0.5, 0.45, 0.05]).tolist(),
        "kind": rng.choice(["a", "b"], count).tolist(),
    }


def write_csv(path: Path, found: dict[str, list]) -> Path:
    rows = [
        ",".join("" if cell is None else str(cell) for cell in row)
        for row in zip(*found.values(), strict=True)
    ]
    path.write_text("\n".join([",".join(found), *rows]) + "\n")
    return path


def write_parquet(path: Path, found: dict[str, list]) -> Path:
    parquet.write_table(arrow.table({name: found[name] for name in sorted(found)}), path)
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("declared")
    write_csv(home / "public.csv", cells("public", 400))
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (home / "policy.yaml").write_text(POLICY)
    other = {"columns": BLOCK | {"age": {"kind": "integer", "optional": True}}}
    (home / "other.yaml").write_text(yaml.safe_dump(other))
    secret = cells("undeclared")
    secret["sex"][3] = "HIV-positive"
    plain = {"x": [1.5, 2.5] * 60, "kind": ["a", "b"] * 60}
    files = {
        "csv": (write_csv(home / "csv.csv", cells("csv")), home / "config.yaml"),
        "parquet": (write_parquet(home / "p.parquet", cells("parquet")), home / "config.yaml"),
        "undeclared": (write_csv(home / "secret.csv", secret), home / "config.yaml"),
        "other-bounds": (write_csv(home / "bounds.csv", cells("bounds")), home / "other.yaml"),
        "plain": (write_csv(home / "plain.csv", plain), None),
    }
    nodes = [
        {"name": name, "data": str(path), "policy": str(home / "policy.yaml"), "state-dir": str(home / name)}
        | ({"label": "kind"} if block is None else {"columns": str(block), "label": "kind"})
        for name, (path, block) in files.items()
    ]
    prepare(load_experiment(home / "config.yaml"), silos_elsewhere=True).save_kits(home / "kits")
    settings = {"config": str(home / "config.yaml"), "out": str(home / "out"), "kit": str(home / "kits")}
    run_in_process(nodes, settings, workers=0)
    return home / "out"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_silos_that_declare_the_same_go_on_from_any_file(out):
    assert {row["silo"] for row in lines(out / "metrics.jsonl")} == {"csv", "parquet"}


def test_the_others_are_refused_and_no_cell_is_told(out):
    events = lines(out / "events.jsonl")
    assert [event["round"] for event in events] == ["hello"] * len(REFUSED)
    for said in REFUSED:
        assert sum(said in event["reason"] for event in events) == 1, said
    told = "".join(path.read_text() for path in out.rglob("*.jsonl"))
    assert "HIV" not in told
    assert "secret.csv" not in told


def test_what_a_finished_arm_draws_is_valid(out):
    experiment = load_experiment(out.parent / "config.yaml")
    sort = Table.of(features_of(experiment.data.columns, "kind"), "kind")
    (path,) = (out.parent / "csv").rglob("latest.npz")
    model = Checkpoint.load(path, experiment.generator, sort=sort).stage.model
    assert isinstance(model, generators.Likelihood)
    drawn = sort.decoded(model.sample(2000, rng=stream(0, "draw"))).to_pydict()
    assert set(drawn["sex"]) <= {"m", "f", "d"}
    assert all(age is None or 0 <= age <= 120 for age in drawn["age"])
    assert {type(age) for age in drawn["age"]} == {int, type(None)}
    assert {day.year for day in drawn["seen"]} == {2024}
