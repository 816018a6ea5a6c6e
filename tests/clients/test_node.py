# SPDX-License-Identifier: Apache-2.0
"""What a node opens: its own table in a deployment, its share of the simulated world otherwise."""

from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.hello_round import hello
from tailweave.clients.metrics import yardstick
from tailweave.clients.node import open_node, world_of
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.messages import Hello
from tailweave.protocols.refusals import Refusal

CONFIG = """
name: tiny
seeds: 1
data: {source: wine}
silos: {count: 3, partition: {kind: iid}}
generator: {kind: gaussian}
recursion: {generations: 1, samples: 20}
arms: [{name: no-selection, rule: random}]
"""
IDENTITY = FeatureMap(np.zeros(13), np.eye(13), np.zeros(13), 1.0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f"{i},{i * i},{'ab'[i % 2]}" for i in range(40)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["x,y,kind", *lines]), encoding="utf-8")
    return path


def test_a_simulated_node_holds_its_share_of_the_world(config):
    run_config = {"config": str(config), "state-dir": "state"}
    nodes = [open_node({"partition-id": i}, run_config, seed=0) for i in range(3)]
    world = world_of(config, 0)
    assert [node.silo.name for node in nodes] == ["silo-0", "silo-1", "silo-2"]
    assert [node.silo.digest for node in nodes] == [silo.digest for silo in world.silos]
    assert nodes[0].state == Path("state")


def test_a_real_node_holds_its_own_documents_and_knows_them_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "ledgers"))
    path = tmp_path / "own.jsonl"
    path.write_text("".join(f'{{"note": "the {i}. text"}}\n' for i in range(40)))
    settings = {"data": str(path), "state-dir": str(tmp_path / "s"), "text": True, "text-column": "note"}
    node = open_node(settings, {}, seed=0)
    assert (len(node.silo.train), len(node.silo.heldout)) == (36, 4)
    assert sorted(node.all_rows().tolist()) == sorted(f"the {i}. text" for i in range(40))
    question = Hello(run="r", seed=0, columns=None, documents=True)
    assert hello(node, question).columns == 1
    with pytest.raises(Refusal, match="it has documents, the federation has a table"):
        hello(node, Hello(run="r", seed=0, columns=None))
    known = node.enrolled(node.own).folder
    path.rename(tmp_path / "moved.jsonl")
    moved = open_node(settings | {"data": str(tmp_path / "moved.jsonl")}, {}, seed=0)
    assert moved.enrolled(moved.own).folder == known


def test_seeds_cut_the_world_differently(config):
    run_config = {"config": str(config), "state-dir": "state"}
    one, two = (open_node({"partition-id": 0}, run_config, seed=seed).silo.train.values for seed in (0, 1))
    assert not np.array_equal(one, two)


def test_in_simulation_the_yardstick_is_the_truth(config):
    node = open_node({"partition-id": 1}, {"config": str(config), "state-dir": "s"}, seed=0)
    evaluation = world_of(config, 0).evaluation
    ruler = node.yardstick(IDENTITY, 0)
    assert np.array_equal(ruler.truth, yardstick(evaluation.values, evaluation.labels).truth)
    assert node.yardstick(IDENTITY, 0) is ruler  # made once


def test_a_real_node_holds_its_own_table_and_never_the_truth(table, tmp_path):
    settings = {"data": str(table), "label": "kind", "name": "north", "state-dir": str(tmp_path)}
    node = open_node(settings, {"config": "configs/quickstart.yaml"}, seed=0)
    assert node.silo.name == "north"
    assert node.truth is None
    assert len(node.silo.train) + len(node.silo.heldout) == 40
    ruler = node.yardstick(FeatureMap(np.zeros(2), np.eye(2), np.zeros(2), 1.0), 0)
    assert np.array_equal(ruler.truth, node.silo.heldout.values)


def test_a_nodes_own_settings_win_over_the_runs(table):
    node = open_node({"data": str(table), "label": "kind", "state-dir": "own"}, {"state-dir": "run"}, seed=0)
    assert node.state == Path("own")
    assert node.silo.name == "silo-0"


@pytest.mark.parametrize("index", [-1, 3])
def test_a_partition_that_does_not_exist_is_refused(config, index):
    with pytest.raises(ValueError, match=f"partition-id must be in 0..2, got {index}"):
        open_node({"partition-id": index}, {"config": str(config), "state-dir": "s"}, seed=0)


@pytest.mark.parametrize(
    ("node_config", "run_config", "message"),
    [
        ({"data": "x.csv"}, {}, "needs state-dir, a folder of its own"),
        ({}, {"state-dir": ""}, "needs state-dir"),
        ({"state-dir": "s"}, {}, "needs data, .* in its node-config"),
        ({"state-dir": "s", "partition-id": 0}, {}, "needs data, .* in its node-config"),
        ({"state-dir": "s"}, {"config": "c.yaml"}, "needs data, .* in its node-config"),
    ],
)
def test_settings_that_lack_something_are_refused_and_say_what(node_config, run_config, message):
    with pytest.raises(ValueError, match=message):
        open_node(node_config, run_config, seed=0)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        open_node({"data": str(tmp_path / "no.csv"), "state-dir": "s"}, {}, seed=0)


def test_the_file_of_the_base_is_the_owners_or_in_simulation_the_experiments(config, table, tmp_path):
    real = {"data": str(table), "label": "kind", "state-dir": "s"}
    assert open_node(real, {}, seed=0).base is None
    assert open_node(real | {"base": "/own/base.npz"}, {}, seed=0).base == Path("/own/base.npz")
    run_config = {"config": str(config), "state-dir": "s"}
    assert open_node({"partition-id": 0}, run_config, seed=0).base is None
    other = tmp_path / "other.yaml"
    other.write_text(
        CONFIG.replace("{kind: gaussian}", "{kind: gaussian, start: {path: b.npz}}"), encoding="utf-8"
    )
    found = open_node({"partition-id": 0}, {"config": str(other), "state-dir": "s"}, seed=0).base
    assert found == tmp_path / "b.npz"
