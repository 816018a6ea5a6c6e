# SPDX-License-Identifier: Apache-2.0
"""Flower's FedAvg on accepted replies: the weighted mean, without a line in what the user reads."""

import logging

import numpy as np
import pytest
from flwr.supercore.task_identity import TaskIdentity

from tailweave.protocols.streams import stream
from tailweave.server.fedavg import federated_average

RNG = stream(0, "models")
MODELS = [{"a/b": RNG.normal(size=(2, 3)), "c": RNG.normal(size=4)} for _ in range(3)]


@pytest.fixture(autouse=True)
def identified():
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1


def test_it_is_the_weighted_mean_in_float64():
    found = federated_average(MODELS, [1, 10, 1000], 1)
    for name in ("a/b", "c"):
        expected = np.average([model[name] for model in MODELS], axis=0, weights=[1, 10, 1000])
        np.testing.assert_allclose(found[name], expected, atol=1e-14)
        assert found[name].dtype == np.float64


def test_one_model_is_itself():
    assert federated_average(MODELS[:1], [7.0], 3)["c"].tolist() == MODELS[0]["c"].tolist()


def test_flower_says_nothing_and_may_speak_again_afterwards(caplog):
    logger = logging.getLogger("flwr")
    level = logger.level
    with caplog.at_level(logging.INFO):
        federated_average(MODELS, [1, 1, 1], 1)
    assert (logger.level, caplog.text) == (level, "")


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, 0], [1, 1, np.nan]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="positive weight"):
        federated_average(MODELS, weights, 1)


def test_no_models_are_refused():
    with pytest.raises(ValueError, match="one or more models"):
        federated_average([], [], 1)
