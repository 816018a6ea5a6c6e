# SPDX-License-Identifier: Apache-2.0
"""Each silo brings a file of its own: those that fit work together, the others are told what differs."""

import json
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pytest
import yaml
from pyarrow import parquet

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.streams import stream
from tailweave.server.failure import RunFailed
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare

POLICY = "allow-no-privacy: true\nlifetime-epsilon: null\nmin-rows: 20\n"
NAMES = ("age", "pressure", "weight")
CONFIG = {
    "name": "tables",
    "seeds": 1,
    "data": {"source": "csv", "path": "public.csv", "label": "kind", "standardize": False},
    "silos": {"count": 7, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian-mixture", "components": 2},
    "recursion": {"generations": 2, "samples": 40},
    "arms": [{"name": "together", "rule": "herding", "reference": {"kind": "sliced", "directions": 8}}],
    "privacy": {"min-rows": 20},
    "evaluation": {"samples": 40},
}
REFUSED = {
    "lacking": "columns: it lacks 'weight', it has 1 more (named in this node's own log)",
    "turned": "columns: column 1 is 'weight' instead of 'age'",
    "unlabelled": "label: it has none, the federation's is 'kind'; set label in its node-config",
    "empty": "failed at hello (DataError)",
}
GOOD = ("csv", "other-label", "parquet")


def rows(name: str, count: int = 120) -> tuple[np.ndarray, list[str]]:
    rng = stream(0, "rows", name)
    side = rng.integers(2, size=count)
    return rng.normal(size=(count, 3)) + 4.0 * side[:, None], ["left" if s else "right" for s in side]


def write_csv(path: Path, name: str, columns: tuple[str, ...] = NAMES, label: str | None = "kind") -> Path:
    values, labels = rows(name)
    head = [*columns, *([label] if label else [])]
    lines = [
        ",".join([*map(repr, row), *([kind] if label else [])])
        for row, kind in zip(values.tolist(), labels, strict=True)
    ]
    path.write_text("\n".join([",".join(head), *lines]) + "\n")
    return path


def write_parquet(path: Path, name: str) -> Path:
    values, labels = rows(name)
    table = {column: values[:, i] for i, column in enumerate(NAMES)} | {"diagnosis": labels}
    parquet.write_table(arrow.table(table), path)
    return path


def nodes(home: Path) -> list[dict[str, str]]:
    (home / "policy.yaml").write_text(POLICY)
    (home / "empty.csv").write_text("")
    files = {
        "csv": (write_csv(home / "csv.csv", "csv"), "kind"),
        "other-label": (write_csv(home / "other.csv", "other-label", label="class"), "class"),
        "parquet": (write_parquet(home / "p.parquet", "parquet"), "diagnosis"),
        "lacking": (write_csv(home / "lacking.csv", "lacking", ("age", "pressure", "height")), "kind"),
        "turned": (write_csv(home / "turned.csv", "turned", NAMES[::-1]), "kind"),
        "unlabelled": (write_csv(home / "unlabelled.csv", "unlabelled", label=None), None),
        "empty": (home / "empty.csv", "kind"),
    }
    return [
        {"name": name, "data": str(path), "policy": str(home / "policy.yaml"), "state-dir": str(home / name)}
        | ({"label": label} if label else {})
        for name, (path, label) in files.items()
    ]


def run(home: Path, **changes) -> Path:
    write_csv(home / "public.csv", "public")
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))
    prepare(load_experiment(home / "config.yaml"), silos_elsewhere=True).save_kits(home / "kits")
    settings = {"config": str(home / "config.yaml"), "out": str(home / "out"), "kit": str(home / "kits")}
    run_in_process(nodes(home), settings, workers=0)
    return home / "out"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_silos_that_fit_go_on_and_the_others_are_told_what_differs(tmp_path):
    out = run(tmp_path)
    assert {row["silo"] for row in lines(out / "metrics.jsonl")} == set(GOOD)
    events = lines(out / "events.jsonl")
    assert len(events) == len(REFUSED)
    for said in REFUSED.values():
        assert sum(said in event["reason"] for event in events) == 1, said
    assert {event["round"] for event in events} == {"hello"}


def test_too_few_that_fit_end_the_run_with_all_reasons(tmp_path):
    with pytest.raises(RunFailed, match="3 silos are left, min-clients is 4") as failed:
        run(tmp_path, federation={"min-clients": 4})
    assert all(said in str(failed.value) for said in REFUSED.values())


def test_units_that_no_silo_could_repeat_are_refused_by_all(tmp_path):
    with pytest.raises(RunFailed, match=r"set data\.standardize: false and agree on units"):
        run(tmp_path, data=CONFIG["data"] | {"standardize": True})
