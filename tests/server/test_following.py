# SPDX-License-Identifier: Apache-2.0
"""``silos.follow``: all silos make the references, the first few retrain."""

from dataclasses import replace

import pytest
from flwr.app import Message

from tailweave.server.failure import RunFailed
from tailweave.server.federation import Federation
from tailweave.server.rounds import run_seed

ARMS = [
    {"name": "alone", "rule": "random"},
    {"name": "together", "rule": "herding", "reference": {"kind": "quantized", "clusters": 2, "samples": 20}},
]


def following(made, count: int) -> Federation:
    """Return the scene's federation with ``silos.follow`` set."""
    experiment = made.federation.experiment
    silos = experiment.silos.model_copy(update={"follow": count})
    return replace(made.federation, experiment=experiment.model_copy(update={"silos": silos}))


def silent(message: Message, content: object) -> list[Message]:
    return []


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_first_silos_retrain_and_all_release(scene, count):
    made = scene(silos=4, arms=ARMS)
    run_seed(following(made, count), 0, made.kit)
    assert {node for node, _ in made.grid.of_kind("hello")} == {0, 1, 2, 3}
    assert {node for node, _ in made.grid.of_kind("summarise")} == {0, 1, 2, 3}
    assert {node for node, _ in made.grid.of_kind("retrain")} == set(range(count))
    assert {row["silo"] for row in made.lines("metrics")} == {f"silo-{node}" for node in range(count)}


def test_without_it_all_retrain(scene):
    made = scene(silos=3, arms=ARMS)
    run_seed(made.federation, 0, made.kit)
    assert {node for node, _ in made.grid.of_kind("retrain")} == {0, 1, 2}


def test_the_one_that_is_followed_must_answer(scene):
    made = scene(silos=4, arms=ARMS)
    made.grid.tampers[0, "retrain"] = silent
    with pytest.raises(RunFailed, match=r"(?s)0 silos are left, silos.follow is 1; refused:.*silo-0"):
        run_seed(following(made, 1), 0, made.kit)


def test_of_more_that_are_followed_min_clients_are_enough(scene):
    made = scene(silos=4, arms=ARMS)
    made.grid.tampers[0, "retrain"] = silent
    run_seed(following(made, 3), 0, made.kit)
    assert {row["silo"] for row in made.lines("metrics")} == {"silo-1", "silo-2"}
    made.grid.tampers[1, "retrain"] = silent
    with pytest.raises(RunFailed, match="1 silos are left, min-clients is 2"):
        run_seed(following(made, 3), 0, made.kit)
