# SPDX-License-Identifier: Apache-2.0
"""No row of a silo, raw or in feature space, is in anything that the silo sends."""

from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from numpy.lib.stride_tricks import sliding_window_view
from scipy.spatial import KDTree

from tailweave.clients.data.silo import World
from tailweave.clients.node import world_of
from tailweave.protocols.config.load import load_experiment
from tailweave.server.app import app
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.prepare import Prepared, prepare

NEAR = 1e-6
"""Features are of order 1 and float64: a sent row would be found to 1e-12."""


class Tapped(InProcessGrid):
    """Keeps every array of every reply."""

    def pull_messages(self, message_ids) -> list[Message]:
        replies = list(super().pull_messages(message_ids))
        self.__dict__.setdefault("heard", []).extend(replies)
        return replies


def sent(prepared: Prepared, config: Path, folder: Path) -> list[np.ndarray]:
    """Run the apps and return every array that left a silo, in whatever kind of message."""
    prepared.save_kits(folder / "kits")
    settings = {
        "config": str(config),
        "out": str(folder / "out"),
        "kit": str(folder / "kits"),
        "state-dir": str(folder / "state"),
    }
    grid = Tapped([{"partition-id": i} for i in range(prepared.experiment.silos.count)], settings, workers=0)
    app(grid, Context(1, 1, {}, RecordDict(), dict(settings)))
    contents = [reply.content for reply in grid.__dict__["heard"]]
    return [array.numpy() for content in contents for array in content["arrays"].values()]


def leaked(arrays: list[np.ndarray], world: World, prepared: Prepared) -> int:
    """Count places where a run of numbers in an array is, to 1e-6, a row of a silo."""
    features = prepared.kits[0].features
    found = 0
    for rows in (silo.train.values for silo in world.silos):
        for known in (rows, features(rows)):
            tree = KDTree(known)
            for array in arrays:
                if array.size >= known.shape[1]:
                    windows = sliding_window_view(array.ravel(), known.shape[1])
                    found += int((tree.query(windows)[0] < NEAR).sum())
    return found


@pytest.mark.parametrize("kind", ["sliced", "quantized", "histogram"])
def test_no_row_leaves_its_silo(tiny, tmp_path, kind):
    reference = {
        "sliced": {"kind": "sliced", "directions": 16, "coefficients": 6},
        "histogram": {"kind": "sliced", "basis": "histogram", "directions": 16, "bins": 6},
        "quantized": {"kind": "quantized", "clusters": 7},
    }[kind]
    config = tiny(seeds=1, arms=[{"name": "one", "rule": "herding", "reference": reference}])
    prepared = prepare(load_experiment(config))
    arrays = sent(prepared, config, tmp_path)
    # a summary and two reports of three vectors a silo
    assert len(arrays) == 3 * ({"quantized": 3}.get(kind, 2) + 2 * 3)
    assert leaked(arrays, world_of(config, 0), prepared) == 0


def test_the_check_finds_a_row_that_is_sent_as_a_cluster_of_one(tiny, tmp_path):
    reference = {"kind": "quantized", "clusters": 72}
    arms = [{"name": "one", "rule": "herding", "reference": reference}]
    config = tiny(seeds=1, arms=arms, privacy={"min-cluster-size": 1})
    prepared = prepare(load_experiment(config))
    assert leaked(sent(prepared, config, tmp_path), world_of(config, 0), prepared) >= 3 * 72


def test_the_check_finds_a_raw_row_among_other_numbers(tiny):
    config = tiny(seeds=1)
    prepared, world = prepare(load_experiment(config)), world_of(config, 0)
    row = world.silos[1].train.values[5]
    hidden = np.concatenate([np.zeros(3), row + 1e-9, np.ones(2)])[None]
    assert leaked([hidden], world, prepared) == 1
    assert leaked([hidden + 1e-3], world, prepared) == 0
