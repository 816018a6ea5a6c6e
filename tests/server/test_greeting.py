# SPDX-License-Identifier: Apache-2.0
"""Who never connected is on record by name or number; who connects late takes part from then on."""

from dataclasses import replace

import pytest
from flwr.app import Message
from flwr.proto.node_pb2 import NodeInfo

from tailweave.protocols.messages import HelloReply
from tailweave.protocols.records import encode
from tailweave.server.failure import RunFailed
from tailweave.server.greeting import greet
from tailweave.server.rounds import run_seed
from tailweave.server.seed_run import SeedRun

FAT = {"deadline-seconds": 0.05}
NEVER = "not connected within 0.05 s; is its SuperNode running? `tailweave deploy check` there says why not"


def looks(made, monkeypatch) -> list[int]:
    """Count how often the server looks who is connected."""
    found, look = [], made.grid.get_node_ids
    monkeypatch.setattr(made.grid, "get_node_ids", lambda: found.append(1) or look())
    return found


def connects_at(made, node: int, kind: str) -> None:
    """Let a node connect while node 0 answers a question of this kind."""

    def tamper(message: Message, content) -> list[Message]:
        if node not in made.grid.nodes:
            made.grid.nodes.append(node)
        return [Message(content, reply_to=message)]

    made.grid.tampers[0, kind] = tamper


def events(made) -> list[tuple]:
    return [(e["event"], e["seed"], e["round"], e["silo"]) for e in made.lines("events")]


def test_a_resumed_run_may_give_the_nodes_other_numbers(scene):
    """As Ray does: a SuperLink of its own each time."""
    greet(SeedRun((first := scene()).federation, 0, first.kit))
    first.federation.record.close()
    again = scene()  # in the same folder
    for node in again.grid.nodes:
        said = HelloReply(run="scripted-1", seed=0, silo=f"silo-{2 - node}", columns=2, rows_at_least=20)
        other = encode(said)
        again.grid.tampers[node, "hello"] = lambda message, _, other=other: [Message(other, reply_to=message)]
    assert again.federation.record.resumed
    assert [member.node_id for member in greet(SeedRun(again.federation, 0, again.kit))] == [2, 1, 0]
    assert [line["silo"] for line in again.lines("wire")] == ["silo-0", "silo-1", "silo-2"]


def test_silos_that_never_connect_are_on_record_once(scene):
    made = scene(silos=5, federation=FAT, seeds=[0, 1])
    made.grid.nodes = [0, 2, 3]
    for seed in (0, 1):
        run_seed(made.federation, seed, made.kit)
    assert events(made) == [("absent", 0, "hello", None)] * 2
    assert {e["reason"] for e in made.lines("events")} == {NEVER}


def test_they_are_named_where_their_names_are_known(scene, monkeypatch):
    made = scene(silos=3, federation=FAT)
    nodes = [NodeInfo(node_id=number, name=f"silo-{number}") for number in (0, 2)]
    monkeypatch.setattr(made.grid, "get_nodes", lambda: nodes)
    federation = replace(made.federation, silos=("silo-0", "silo-1", "silo-2"))
    run_seed(federation, 0, made.kit)
    assert events(made) == [("absent", 0, "hello", "silo-1")]


def test_with_too_few_the_run_ends_and_says_who_did_not_come(scene):
    made = scene(silos=3, federation=FAT)
    made.grid.nodes = [1]
    federation = replace(made.federation, silos=("silo-0", "silo-1", "north"))
    made.grid.get_nodes = lambda: [NodeInfo(node_id=1, name="silo-1")]
    with pytest.raises(RunFailed) as caught:
        run_seed(federation, 0, made.kit)
    assert str(caught.value).split("\n") == [
        "1 silos are left, min-clients is 2; refused:",
        f"  silo-0 (hello): {NEVER}",
        f"  north (hello): {NEVER}",
    ]


def test_nobody_at_all_is_an_error_too(scene):
    made = scene(silos=1, federation=FAT)
    made.grid.nodes = []
    with pytest.raises(
        RunFailed, match="0 silos are left, .*\n  a silo without a name .hello.: not connected"
    ):
        run_seed(made.federation, 0, made.kit)


def test_they_are_waited_for_in_the_first_seed_only(scene, monkeypatch):
    made = scene(silos=3, federation={"deadline-seconds": 0.7}, seeds=[0, 1])
    made.grid.nodes = [0, 1]
    found = looks(made, monkeypatch)
    run_seed(made.federation, 0, made.kit)
    first = len(found)
    run_seed(made.federation, 1, made.kit)
    assert first > len(found) - first


@pytest.mark.parametrize("follow", [None, 3, 2])
def test_a_silo_that_connects_after_hello_retrains(scene, follow):
    arms = [{"name": "woven", "rule": "herding", "reference": {"kind": "quantized", "clusters": 2}}]
    partition = {"kind": "iid"}
    silos = {"count": 3, "partition": partition, "follow": follow}
    made = scene(arms=arms, federation=FAT)
    experiment = made.federation.experiment
    silos = experiment.silos.model_copy(update={"follow": follow})
    federation = replace(made.federation, experiment=experiment.model_copy(update={"silos": silos}))
    made.grid.nodes = [0, 1]
    connects_at(made, 2, "summarise")
    run_seed(federation, 0, made.kit)
    followed = {f"silo-{number}" for number in range(follow or 3)}
    assert {row["silo"] for row in made.lines("metrics")} == followed
    assert [node for node, _ in made.grid.of_kind("summarise")] == [0, 1]
    came = [] if follow == 2 else [("returned", 0, "hello", None)]
    assert events(made) == [("absent", 0, "hello", None), *came]


def test_one_that_connects_between_messages_begins_at_generation_0(scene):
    made = scene(recursion={"generations": 6, "samples": 20})
    made.grid.nodes = [0, 1]
    connects_at(made, 2, "retrain")
    run_seed(made.federation, 0, made.kit)
    asked = [(q.start, q.stop) for node, q in made.grid.of_kind("retrain") if node == 2]
    assert asked == [(0, 4), (5, 6)]
    assert [row["generation"] for row in made.lines("metrics") if row["silo"] == "silo-2"] == list(range(7))


def test_a_silo_that_is_refused_is_not_greeted_again(scene):
    made = scene()
    made.grid.tampers[2, "hello"] = lambda message, content: []
    run_seed(made.federation, 0, made.kit)
    assert [node for node, _ in made.grid.of_kind("hello")] == [0, 1, 2, 2]  # once more, as it was late


def test_one_that_is_gone_at_the_next_seed_is_on_record_and_may_come_back(scene):
    made = scene(federation=FAT, seeds=[0, 1, 2])
    run_seed(made.federation, 0, made.kit)
    made.grid.nodes.remove(1)
    run_seed(made.federation, 1, made.kit)
    made.grid.nodes.append(1)
    run_seed(made.federation, 2, made.kit)
    assert events(made) == [("absent", 1, "hello", "silo-1"), ("returned", 2, "hello", "silo-1")]
    assert {row["seed"] for row in made.lines("metrics") if row["silo"] == "silo-1"} == {0, 2}
