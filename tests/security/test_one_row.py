# SPDX-License-Identifier: Apache-2.0
"""A curious server of an honest default run: does anything that it gets change with one row of one silo?

Two runs of silos with files and default policies; in the second one row of one silo is another. Its noise is
that of the first, moved by what the row moves, which is less than the sensitivity that was paid for:
so both releases are equally likely, and beyond them nothing may differ by a byte.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tailweave.clients.node import _real_silo
from tailweave.clients.owner_report import REPORT, reports
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import cosine
from tailweave.protocols.privacy.mechanisms.grid import GRID, noised
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare

SKETCH = {"kind": "sliced", "directions": 8, "coefficients": 4}
CONFIG = {
    "name": "one-row",
    "seeds": 2,
    "data": {"source": "csv", "path": "public.csv", "label": "kind", "standardize": False},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian-mixture", "components": 2},
    "recursion": {"generations": 2, "samples": 40},
    "arms": [
        {"name": "no-selection", "rule": "random"},
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {"name": "anchored", "rule": "herding", "reference": "public"},
        {"name": "collaborative", "rule": "herding", "reference": SKETCH},
    ],
    "privacy": {"epsilon": 2.0, "delta": 1.0e-6},
}
FILES = ("metrics.jsonl", "wire.jsonl", "events.jsonl")
LONGEST = cosine.sensitivity(SlicedReference(**SKETCH))
POLICY = "releases-per-data-version: 2\n"  # two seeds; all else is the default


def write(path: Path, values: np.ndarray) -> None:
    lines = (",".join([*map(repr, row), "ab"[int(row[0] > 0)]]) for row in values.tolist())
    path.write_text("u,v,w,kind\n" + "".join(f"{line}\n" for line in lines))


def run(home: Path, row: list[float] | None) -> dict[str, bytes]:
    """Run with silos of their own; ``row`` takes the place of one of the first silo's."""
    rng = np.random.default_rng(0)
    home.mkdir()
    (home / "policy.yaml").write_text(POLICY)
    nodes = []
    for name, side in (("public", 0.0), ("one", -2.0), ("two", 2.0)):
        values = rng.normal(side, 1.0, (320, 3)).round(3)
        if name == "one" and row is not None:
            values[77] = row
        write(home / f"{name}.csv", values)
        state, policy = str(home / f"{name}-state"), str(home / "policy.yaml")
        own = {"ledgers": str(home / "ledgers"), "state-dir": state, "policy": policy, "label": "kind"}
        nodes.append({"name": name, "data": str(home / f"{name}.csv"), **own})
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    prepare(load_experiment(home / "config.yaml"), silos_elsewhere=True).save_kits(home / "kits")
    settings = {"config": str(home / "config.yaml"), "out": str(home / "out"), "kit": str(home / "kits")}
    _real_silo.cache_clear()
    run_in_process(nodes[1:], settings | {"run-id": "a-run"}, workers=0)
    arrays = {f"wire/{path.name}": path for path in sorted((home / "out" / "wire").iterdir())}
    found = {name: home / "out" / name for name in FILES} | arrays
    return {name: path.read_bytes() for name, path in found.items()}


@pytest.mark.parametrize("row", [[0.1, -0.2, 0.3], [9.5e5, -9.5e5, 9.5e5]], ids=["ordinary", "absurd"])
def test_beyond_noised_releases_nothing_changes_with_one_row(tmp_path, monkeypatch, row):
    drawn: list[tuple[np.ndarray, np.ndarray]] = []

    def remembered(sums, scale, noise, step=GRID):
        drawn.append((sums.copy(), noised(sums, scale, noise, step)))
        return drawn[-1][1]

    monkeypatch.setattr(cosine, "noised", remembered)
    first = run(tmp_path / "first", None)
    assert len(drawn) == 4  # two silos, two seeds
    turns, moved = iter(drawn), []

    def coupled(sums, scale, noise, step=GRID):
        noised(sums, scale, noise, step)  # charged as ever
        before, noisy = next(turns)
        moved.append(float(np.linalg.norm(sums - before)) * step)
        return noisy

    monkeypatch.setattr(cosine, "noised", coupled)
    second = run(tmp_path / "second", row)
    assert max(moved) <= 2.0 * LONGEST  # a row replaced is one removed and one added
    assert sorted(distance > 0.0 for distance in moved) == [False, False, True, True]
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def owners_report(state: Path) -> list[dict]:
    (folder,) = state.glob(f"*/{REPORT}")
    return [line for line in reports(state, folder.parent.name) if line["arm"] == "siloed"]


def test_the_owner_sees_the_difference_and_the_server_was_told_of_three_arms(tmp_path):
    """So the comparison above is not blind, and an honest run is useful."""
    told = run(tmp_path / "first", None)
    rows = [json.loads(line) for line in told["metrics.jsonl"].splitlines()]
    assert {row["arm"] for row in rows} == {"no-selection", "anchored", "collaborative"}
    kept = [json.loads(line) for line in told["events.jsonl"].splitlines()]
    assert {(event["event"], event["arm"]) for event in kept} == {("kept", "siloed")}
    run(tmp_path / "second", [5.0, 5.0, 5.0])
    one, two = (owners_report(tmp_path / where / "one-state") for where in ("first", "second"))
    assert len(one) == len(two) == 12
    assert one != two
