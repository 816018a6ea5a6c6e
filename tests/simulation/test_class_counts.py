# SPDX-License-Identifier: Apache-2.0
"""Labels that are no classes are refused at once; what a rare class's share rests on is said everywhere."""

import json
import time

import pytest
import yaml

import tailweave as tw
from tailweave.simulation.class_counts import check_classes, notes_on_classes

CONFIG = {
    "name": "labelled",
    "seeds": 6,
    "data": {"source": "csv", "path": "own.csv", "label": "y"},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20, "candidates-per-sample": 2},
    "arms": [{"name": "siloed", "rule": "herding", "reference": "local"}],
    "privacy": {"min-cluster-size": 1},
}


def written(tmp_path, labels: list[str], **changes):
    rows = (f"{i % 7},{i * i % 11},{label}" for i, label in enumerate(labels))
    (tmp_path / "own.csv").write_text("\n".join(["u,v,y", *rows]) + "\n")
    path = tmp_path / "labelled.yaml"
    path.write_text(yaml.safe_dump(CONFIG | changes))
    return path


def test_a_class_of_three_rows_is_the_rarest_in_every_seed_and_all_say_on_how_many_rows(tmp_path):
    labels = ["a"] * 60 + ["b"] * 50 + ["rare"] * 3 + ["once"]
    with pytest.warns(UserWarning, match=r"cannot be measured: classes once \(1 row\)"):
        run = tw.run(written(tmp_path, labels), out=tmp_path / "out")
    rows = run.metrics()
    assert all(row["rarest_mode_share"] == row["mode_share/rare"] for row in rows)
    found = json.loads((run.path / "summary.json").read_text())["rarest_mode"]
    assert set(found["classes"].values()) == {"rare"}
    assert (set(found["rows"].values()), set(found["evaluation"].values())) == ({3}, {1})
    said = "The rarest mode is class rare: 3 rows in all, and its share rests on 1 row of the 46 rows that"
    assert said in run.report.read_text()


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("audit",)])
def test_an_id_as_label_is_refused_at_once_with_advice(tailweave, tmp_path, command):
    path = written(tmp_path, [f"P{i:05d}" for i in range(2000)])
    begun = time.process_time()
    code, _, said = tailweave(command[0], path, *command[1:], "--out", tmp_path / "out")
    assert time.process_time() - begun < 5.0
    assert code == 2
    assert "data.label: y has 2,000 different values in 2,000 rows, 2,000 of them in one row only" in said
    assert "remove data.label and declare the column as ignore" in said
    assert not (tmp_path / "out").exists()


def test_rare_classes_are_no_id_and_many_classes_get_a_note(tmp_path):
    def world(labels: list[str]):
        experiment = tw.load(written(tmp_path, labels, seeds=1))
        from tailweave.clients.data.silo import forget_worlds
        from tailweave.simulation.worlds import world_of_seed

        forget_worlds()
        found = world_of_seed(experiment, 0)
        check_classes(experiment, found)
        return notes_on_classes(found)

    assert "classes b (1 row), c (1 row);" in world(["a"] * 40 + ["b", "c"])[0]
    assert world([f"c{i % 49}" for i in range(200)]) == []
    assert (
        "the labels are of 50 classes: shares of each are measured and shown; if"
        in world([f"c{i % 50}" for i in range(200)])[0]
    )
    assert "above 50 the nearest true row judges" in world([f"c{i % 51}" for i in range(204)])[0]


def test_a_partition_that_was_drawn_again_is_on_record(tmp_path):
    silos = {"count": 8, "partition": {"kind": "dirichlet", "alpha": 0.3}}
    path = written(tmp_path, ["a", "b", "c", "d"] * 40, seeds=2, silos=silos)
    with pytest.warns(UserWarning, match=r"partition dirichlet was drawn \d+ times for seed"):
        run = tw.run(path, out=tmp_path / "out")
    draws = json.loads((run.path / "environment.json").read_text())["partition-draws"]
    assert max(draws.values()) > 1
    assert "partition-draws" in run.report.read_text()
