# SPDX-License-Identifier: Apache-2.0
"""The three rounds of one seed: who is asked what, in which order, and with which reference."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Error, Message
from flwr.proto.node_pb2 import NodeInfo

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.references import read_summary, release
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream
from tailweave.server.failure import RunFailed
from tailweave.server.questions import Member
from tailweave.server.rounds import greet, run_seed, snapshots
from tailweave.server.seed_run import SeedRun

SLICED = {"kind": "sliced", "directions": 4, "coefficients": 3}
QUANTIZED = {"kind": "quantized", "clusters": 3}
UNCAPPED = {"deadline-seconds": 0.05, "generations-per-message": 2, "weight-cap": None}


def arm(name: str, reference: dict | str) -> dict:
    return {"name": name, "rule": "herding", "reference": reference}


def rows(node: int) -> np.ndarray:
    return stream(node, "rows").normal(size=(40 + node, 2))


def test_each_silo_is_asked_hello_then_summaries_then_all_arms(scene):
    made = scene(silos=2, arms=[{"name": "alone", "rule": "random"}, arm("woven", SLICED)])
    run_seed(made.federation, 0, made.kit)
    asked = [(question.kind, node) for node, question in made.grid.asked]
    assert asked[:4] == [("hello", 0), ("hello", 1), ("summarise", 0), ("summarise", 1)]
    spans = [(q.arm.name, node, q.start, q.stop) for node, q in made.grid.of_kind("retrain")]
    first = [(name, node, 0, 2) for name in ("alone", "woven") for node in (0, 1)]
    assert spans == first + [(name, node, 3, 4) for name, node, _, _ in first]


@pytest.mark.parametrize(
    ("generations", "step", "stops"),
    [(4, 2, [2, 4]), (5, 2, [2, 4, 5]), (3, 5, [3]), (1, 1, [1]), (3, 1, [1, 2, 3])],
)
def test_generations_are_asked_for_a_few_at_a_time(scene, generations, step, stops):
    made = scene(
        silos=1,
        recursion={"generations": generations, "samples": 20},
        federation={"generations-per-message": step},
    )
    run_seed(made.federation, 0, made.kit)
    asked = [question for _, question in made.grid.of_kind("retrain")]
    assert [question.stop for question in asked] == stops
    assert [question.start for question in asked] == [0, *(stop + 1 for stop in stops[:-1])]


def test_thirty_generations_need_four_round_trips_at_most(scene, monkeypatch):
    arms = [{"name": "alone", "rule": "random"}, arm("one", SLICED), arm("two", QUANTIZED)]
    made = scene(arms=arms, recursion={"generations": 30, "samples": 20}, federation={})
    trips, push = [], made.grid.push_messages
    monkeypatch.setattr(made.grid, "push_messages", lambda asked: trips.append(1) or push(asked))
    run_seed(made.federation, 0, made.kit)
    assert len(trips) == 4  # hello, two summaries, retrain
    assert {q.stop for _, q in made.grid.of_kind("retrain")} == {30}


TABLE = {"source": "csv", "path": "/x/t.csv", "label": "kind"}


@pytest.mark.parametrize(
    ("data", "names", "told"),
    [
        (TABLE, ("a", "b"), (("a", "b"), "kind", True)),
        (TABLE | {"standardize": False, "label": None}, ("a", "b"), (("a", "b"), None, False)),
        ({"source": "wine"}, (), (None, None, False)),
        (TABLE, ("a" * 600_000, "b"), (None, "kind", True)),  # too long for a message: counted only
        (TABLE, ("," * 5000, "b"), (None, "kind", True)),
    ],
)
def test_silos_are_told_what_their_tables_must_look_like(scene, data, names, told):
    made = scene(silos=2, data=data)
    greet(SeedRun(made.federation, 0, replace(made.kit, columns=names)))
    asked = {(q.columns, q.label, q.standardized) for _, q in made.grid.of_kind("hello")}
    assert asked == {told}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"source": "digits"}, ((1, 8, 8), None, False)),
        ({"source": "wine"}, (None, None, False)),
        ({"source": "cifar10", "path": "p"}, ((3, 32, 32), None, False)),
        ({"source": "image-folder", "path": "p", "image": [3, 4, 5]}, ((3, 4, 5), None, False)),
        ({"source": "npz", "path": "p.npz", "image": [1, 2, 3]}, ((1, 2, 3), None, False)),
        ({"source": "hashed-text", "path": "p", "columns": 32}, (None, 32, False)),
        ({"source": "jsonl", "path": "p.jsonl"}, (None, None, True)),
        ({"source": "python-docs"}, (None, None, True)),
    ],
)
def test_silos_are_told_whether_rows_are_images_or_documents(scene, data, told):
    text = {"generator": {"kind": "language-model", "temperature": 1.0}, "features": {"kind": "tf-idf"}}
    made = scene(silos=2, data=data, **(text if told[2] else {}))
    greet(SeedRun(made.federation, 0, made.kit))
    assert {(q.image, q.text_columns, q.documents) for _, q in made.grid.of_kind("hello")} == {told}


def test_a_silo_is_called_by_the_name_that_its_key_is_registered_under(scene, monkeypatch):
    made = scene(silos=3)
    names = ["silo-0", "north", "silo-2"]
    nodes = [NodeInfo(node_id=number, name=name) for number, name in enumerate(names)]
    monkeypatch.setattr(made.grid, "get_nodes", lambda: nodes)
    made.grid.tampers[2, "hello"] = lambda message, _: [Message(Error(5, "gone"), reply_to=message)]
    with pytest.raises(RunFailed):
        greet(SeedRun(made.federation, 0, made.kit))
    reasons = {event["silo"]: event["reason"] for event in made.lines("events")}
    assert reasons == {
        "north": "says that it is silo-1, its key is registered as north",
        "silo-2": "the node cannot be reached (gone)",
    }


def test_two_arms_of_one_reference_share_one_release(scene):
    arms = [arm("one", SLICED), arm("two", SLICED), arm("three", QUANTIZED), arm("own", "local")]
    made = scene(silos=2, arms=arms)
    run_seed(made.federation, 0, made.kit)
    assert [q.reference.kind for node, q in made.grid.of_kind("summarise") if node == 0] == [
        "sliced",
        "quantized",
    ]


def test_arms_without_a_release_ask_for_none(scene):
    made = scene(arms=[{"name": "alone", "rule": "random"}, arm("own", "local"), arm("base", "public")])
    run_seed(made.federation, 0, made.kit)
    assert made.grid.of_kind("summarise") == []
    assert all(question.part("reference") == {} for _, question in made.grid.of_kind("retrain"))


def test_the_reference_is_that_of_all_rows_together(scene):
    made = scene(arms=[arm("woven", SLICED)], federation=UNCAPPED)
    run_seed(made.federation, 0, made.kit)
    question = made.grid.of_kind("retrain")[0][1]
    spec, space = question.arm.reference, made.kit.features.space(0)
    pooled = read_summary(
        release(np.concatenate([rows(i) for i in range(3)]), spec, space, 10, rng=stream(0, "x")).arrays(),
        spec,
        2,
    )
    # A mean of 123 cosines, summed in another order: float64 rounding only.
    np.testing.assert_allclose(question.part("reference")["sketch"], pooled.sums / 123, atol=1e-14)
    assert Sliced(question.part("reference")["sketch"], spec, space).dimension == 2


def test_a_silo_that_gave_no_summary_is_missing_from_the_reference(scene):
    made = scene(arms=[arm("woven", SLICED)], federation=UNCAPPED)
    made.grid.tampers[1, "summarise"] = lambda message, content: []
    run_seed(made.federation, 0, made.kit)
    question = made.grid.of_kind("retrain")[0][1]
    spec, space = question.arm.reference, made.kit.features.space(0)
    pooled = release(np.concatenate([rows(0), rows(2)]), spec, space, 10, rng=stream(0, "x")).arrays()
    np.testing.assert_allclose(question.part("reference")["sketch"], pooled["sums"] / 82, atol=1e-14)


def test_a_silo_that_missed_an_exchange_is_asked_again_from_where_it_stopped(scene):
    made = scene(recursion={"generations": 6, "samples": 20})
    away = iter([True, True])

    def twice_late(message: Message, content) -> list[Message]:
        return [] if next(away, False) else [Message(content, reply_to=message)]

    made.grid.tampers[1, "retrain"] = twice_late
    run_seed(made.federation, 0, made.kit)
    spans = [(q.start, q.stop) for node, q in made.grid.of_kind("retrain") if node == 1]
    assert spans == [(0, 2), (0, 2), (0, 4), (5, 6)]
    generations = [row["generation"] for row in made.lines("metrics") if row["silo"] == "silo-1"]
    assert generations == list(range(7))
    assert [event["event"] for event in made.lines("events")] == ["refused", "returned"]


def test_members_are_sorted_by_silo_whatever_the_order_of_nodes(scene):
    made = scene(silos=11)
    made.grid.nodes.reverse()
    members = greet(SeedRun(made.federation, 0, made.kit))
    assert [member.silo for member in members] == [f"silo-{i}" for i in range(11)]
    assert [member.node_id for member in members] == list(range(11))


def test_silos_that_connect_late_are_waited_for(scene):
    made = scene(federation={"deadline-seconds": 10.0})
    made.grid.nodes.remove(2)
    threading.Timer(0.1, made.grid.nodes.append, [2]).start()
    assert len(greet(SeedRun(made.federation, 0, made.kit))) == 3


def test_silos_that_never_connect_are_not_waited_for_for_ever(scene):
    made = scene()
    made.grid.nodes.remove(2)
    begun = time.monotonic()
    assert len(greet(SeedRun(made.federation, 0, made.kit))) == 2
    assert time.monotonic() - begun < 30.0


def test_only_the_first_seed_keeps_snapshots(scene):
    made = scene(silos=1, seeds=[5, 6])
    for seed in (5, 6):
        run_seed(made.federation, seed, made.kit)
    asked = {(q.seed, q.snapshots) for _, q in made.grid.of_kind("retrain")}
    assert asked == {(5, (1, 2, 4)), (6, ())}


@pytest.mark.parametrize(("generations", "kept"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (30, (1, 15, 30))])
def test_snapshots_are_first_middle_and_last(scene, generations, kept):
    made = scene(recursion={"generations": generations, "samples": 20})
    assert snapshots(made.federation.experiment) == kept


def test_questions_carry_the_experiments_own_options(scene):
    made = scene(silos=1, evaluation={"samples": 30})
    run_seed(made.federation, 0, made.kit)
    experiment: Experiment = made.federation.experiment
    question = made.grid.of_kind("retrain")[0][1]
    assert question.generator == experiment.generator
    assert question.recursion == experiment.recursion
    assert question.arm == experiment.arms[0]
    assert question.evaluation_samples == 30
    assert np.array_equal(question.part("base")["covariance"], np.eye(2))
    assert np.array_equal(question.part("features")["weights"], np.eye(2))


def test_one_silo_alone_is_enough_where_there_is_one(scene):
    made = scene(silos=1)
    run_seed(made.federation, 0, made.kit)
    assert {row["silo"] for row in made.lines("metrics")} == {"silo-0"}


def test_silo_ten_comes_after_silo_two():
    members = [Member(i, f"silo-{i}") for i in (10, 2, 1)]
    assert [member.node_id for member in sorted(members, key=lambda m: m.order)] == [1, 2, 10]
