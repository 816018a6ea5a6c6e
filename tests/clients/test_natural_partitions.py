# SPDX-License-Identifier: Apache-2.0
"""Silos as they come: by a column of a declared table, or by a file each."""

import numpy as np
import pytest
import yaml

import tailweave as tw
from tailweave.clients.data.silo import forget_worlds
from tailweave.clients.samples import DataError
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.worlds import world_of_seed

BASE = {
    "name": "natural",
    "seeds": 1,
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [{"name": "siloed", "rule": "herding", "reference": "local"}],
}
COLUMNS = {"x": "number", "hospital": "group"}
PLACES = ("North Hill", "south", "East")


def world(tmp_path, data, partition, places=PLACES, **silos):
    lines = (f"{i}.5,{places[i % 7 % len(places)]}" for i in range(210))
    (tmp_path / "own.csv").write_text("\n".join(["x,hospital", *lines]) + "\n")
    config = BASE | {
        "data": {"source": "csv", "path": "own.csv"} | data,
        "silos": {"partition": partition} | silos,
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    forget_worlds()
    return world_of_seed(tw.load(tmp_path / "c.yaml"), 0)


BY_HOSPITAL = {"kind": "by-column", "column": "hospital"}


@pytest.mark.parametrize("kind", ["group", {"kind": "category", "values": list(PLACES)}])
def test_each_value_of_a_column_is_a_silo_called_so(tmp_path, kind):
    count = {"count": 3} if kind == "group" else {}  # values that are declared are counted by themselves
    found = world(tmp_path, {"columns": COLUMNS | {"hospital": kind}}, BY_HOSPITAL, **count)
    assert {silo.name for silo in found.silos} == {"north-hill", "south", "east"}
    assert sum(len(silo.train) + len(silo.heldout) for silo in found.silos) == len(found.train)
    for silo in found.silos:
        rows = np.round(silo.train.values[:, 0] - 0.5).astype(int)  # x, with centre 0 and scale 1
        assert {PLACES[i % 7 % 3].lower().replace(" ", "-") for i in rows} == {silo.name}


def test_values_that_are_no_names_give_numbered_silos(tmp_path):
    found = world(tmp_path, {"columns": COLUMNS}, BY_HOSPITAL, ("Köln", "Zürich"), count=2)
    assert [silo.name for silo in found.silos] == ["silo-0", "silo-1"]


@pytest.mark.parametrize(
    ("columns", "partition", "silos", "message"),
    [
        (
            COLUMNS,
            BY_HOSPITAL,
            {"count": 2},
            r"hospital has 3 values .*\(East, North Hill, south\).*must be 3, got 2",
        ),
        (
            COLUMNS | {"hospital": "ignore"},
            BY_HOSPITAL,
            {"count": 3},
            "column must be one of kind group or category in data.columns .there is none.",
        ),
        (COLUMNS, {"kind": "by-file"}, {"count": 3}, "data.path must be a mapping from silo to file"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, columns, partition, silos, message):
    with pytest.raises(ValueError, match=message):
        world(tmp_path, {"columns": columns}, partition, **silos)
    with pytest.raises(ConfigError, match="silos.count: missing"):
        world(tmp_path, {"columns": COLUMNS}, BY_HOSPITAL)


def test_files_of_their_own_are_silos(tmp_path):
    for silo, start in (("north", 0), ("south", 100), ("east", 200)):
        (tmp_path / f"{silo}.csv").write_text("x,y\n" + "".join(f"{start + i},{i % 3}\n" for i in range(60)))
    files = {silo: f"{silo}.csv" for silo in ("north", "south", "east")}
    data = {"path": files, "standardize": False}
    found = world(tmp_path, data, "by-file")
    assert [silo.name for silo in found.silos] == ["east", "north", "south"]
    for silo, start in zip(found.silos, (200, 0, 100), strict=True):
        assert (np.floor(silo.train.values[:, 0] / 100) * 100 == start).all()
    assert len(np.unique(np.floor(found.evaluation.values[:, 0] / 100))) == 3
    (tmp_path / "south.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"south.csv: the columns must be those of .*north.csv"):
        world(tmp_path, data, "by-file")
