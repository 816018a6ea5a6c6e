# SPDX-License-Identifier: Apache-2.0
"""What a bare ``flwr run .`` chooses, and what it says when it cannot."""

import logging
import sys
from pathlib import Path

import pytest

from tailweave.clients.data.silo import simulated_world
from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment
from tailweave.server.failure import RunFailed
from tailweave.simulation.engines import flower_app
from tailweave.simulation.engines.quickstart import QUICKSTART, quickstart

REPOSITORY = Path(__file__).parents[2]
SIMULATED, DEPLOYED = ["", ""], ["north", "south"]


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 8])
def test_all_digits_are_held_and_each_silo_misses_some(nodes):
    experiment = quickstart(nodes)
    world = simulated_world(experiment.data, experiment.silos, experiment.public, seed=0)
    held = [set(silo.train.labels) for silo in world.silos]
    assert len(held) == nodes
    assert len(set.union(*held)) == 10
    assert max(map(len, held)) <= 5


def test_with_five_nodes_it_is_the_quickstart_as_it_stands():
    assert dump_experiment(quickstart(5)) == dump_experiment(load_experiment(REPOSITORY / QUICKSTART))


def test_one_node_is_no_federation():
    with pytest.raises(ConfigError, match="has 1 node, .* at least 2: add --federation-config"):
        quickstart(1)


def test_without_a_config_a_simulation_has_a_silo_a_node(caplog):
    with caplog.at_level(logging.INFO, "flwr"):
        assert flower_app._experiment("", SIMULATED).silos.count == 2
    assert "configs/quickstart.yaml over 2 silos, one a node" in caplog.text


@pytest.mark.parametrize("nodes", [DEPLOYED, []])
def test_without_a_config_a_deployment_runs_nothing(nodes):
    with pytest.raises(ConfigError, match="config is empty, .* name an experiment"):
        flower_app._experiment("", nodes)


def test_a_config_that_is_named_is_not_changed():
    named = str(QUICKSTART)
    with pytest.raises(ConfigError, match="2 nodes, configs/quickstart.yaml 5 silos: add .*num-supernodes=5"):
        flower_app._experiment(named, SIMULATED)
    assert flower_app._experiment(named, [""] * 5).silos.count == 5
    assert flower_app._experiment(named, DEPLOYED).silos.count == 5  # the others may still come


@pytest.mark.parametrize(
    ("error", "way"), [(ConfigError("why"), False), (RunFailed("why"), False), (KeyError("why"), True)]
)
def test_flower_logs_an_error_that_explains_itself_in_one_line(error, way, caplog):
    try:
        raise error
    except Exception:
        logging.getLogger("flwr").error("%s raised an exception", "Simulation", exc_info=sys.exc_info())
    assert "why" in caplog.text
    assert ("Traceback" in caplog.text) is way


class _Arriving:
    """A grid whose nodes arrive one after the other."""

    def __init__(self, *counts: int) -> None:
        self.counts = iter(counts)

    def get_nodes(self):
        return [type("Node", (), {"name": ""})] * next(self.counts)


@pytest.mark.parametrize(("counts", "found"), [((0, 1, 3, 3, 9), 3), ((0,) * 10, 0)])
def test_nodes_are_counted_when_all_are_there(counts, found, monkeypatch):
    monkeypatch.setattr(flower_app, "_LOOK_SECONDS", 0.0)
    assert len(flower_app._nodes(_Arriving(*counts))) == found
