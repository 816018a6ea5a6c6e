# SPDX-License-Identifier: Apache-2.0
"""``silos.sample``: all silos release and retrain, some are measured; questions are shared."""

from dataclasses import replace

import pytest
from flwr.app import Message

from tailweave.protocols.messages import RetrainReply
from tailweave.protocols.records import decode, encode
from tailweave.server.questions import Member
from tailweave.server.rounds import run_seed, sample

ARMS = [
    {"name": "alone", "rule": "random"},
    {"name": "together", "rule": "herding", "reference": {"kind": "quantized", "clusters": 2, "samples": 20}},
]
MEMBERS = [Member(100 + number, f"silo-{number}", 500) for number in range(40)]


def test_a_sample_is_drawn_by_seed_whoever_else_is_there_in_whatever_order():
    drawn = sample(0, MEMBERS, 10)
    assert len(drawn) == 10
    assert sample(0, MEMBERS[::-1], 10) == drawn
    assert sample(1, MEMBERS, 10) != drawn
    assert sample(0, MEMBERS, 9) < drawn  # more silos measured: the same ones, and others
    gone = next(iter(drawn))
    assert drawn - {gone} < sample(0, [m for m in MEMBERS if m != gone], 10)
    assert sample(0, MEMBERS, 100) == set(MEMBERS)


def test_every_silo_is_drawn_as_often_as_the_others():
    """1,000 seeds of 10 out of 40: a silo is drawn 250 +- 14 times; six deviations are 1e-9 for each."""
    often = dict.fromkeys(MEMBERS, 0)
    for seed in range(1000):
        for member in sample(seed, MEMBERS, 10):
            often[member] += 1
    assert sum(often.values()) == 10_000
    assert all(abs(count - 250) < 6 * 13.7 for count in often.values())


def sampling(made, count: int):
    experiment = made.federation.experiment
    silos = experiment.silos.model_copy(update={"sample": count})
    return replace(made.federation, experiment=experiment.model_copy(update={"silos": silos}))


def unmeasured(message: Message, content) -> list[Message]:
    """Answer as a silo does that was not to measure anything."""
    reply = decode(content, RetrainReply)
    said = reply.model_copy(update={"names": (), "arrays": {}})
    return [Message(encode(said), reply_to=message)]


def test_all_release_and_retrain_and_the_sample_is_measured(scene):
    made = scene(silos=4, arms=ARMS)
    drawn = {m.node_id for m in sample(0, [Member(node, f"silo-{node}") for node in range(4)], 2)}
    for node in set(range(4)) - drawn:
        made.grid.tampers[node, "retrain"] = unmeasured
    run_seed(sampling(made, 2), 0, made.kit)
    assert {node for node, _ in made.grid.of_kind("summarise")} == {0, 1, 2, 3}
    asked = made.grid.of_kind("retrain")
    assert {node for node, _ in asked} == {0, 1, 2, 3}
    assert {node for node, question in asked if question.measured} == drawn
    assert {row["silo"] for row in made.lines("metrics")} == {f"silo-{node}" for node in drawn}
    assert not made.lines("events")


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_that_were_not_asked_for_are_refused_and_missing_ones_too(scene, count):
    made = scene(silos=4, arms=ARMS[:1], federation={"min-clients": 1, "deadline-seconds": 0.05})
    if count == 3:  # of those that are to measure, all say nothing
        for node in range(4):
            made.grid.tampers[node, "retrain"] = unmeasured
    run_seed(sampling(made, count), 0, made.kit)
    said = {event["reason"] for event in made.lines("events") if event["event"] == "refused"}
    assert said == {
        "brings 2 metrics, none were asked for" if count == 1 else "brings 0 metrics, some were asked for"
    }


def test_silos_that_are_asked_the_same_share_one_payload(scene):
    made = scene(silos=5, arms=ARMS)
    payloads: dict[str, set[int]] = {}
    push = made.grid._push

    def watched(message: Message) -> str:
        kind = f"{message.metadata.message_type} {message.metadata.group_id}"
        payloads.setdefault(kind, set()).add(id(message.content))
        kept.append(message.content)
        return push(message)

    kept: list[object] = []  # an id is of one object as long as that lives
    made.grid._push = watched
    run_seed(made.federation, 0, made.kit)
    rounds = {kind: len(found) for kind, found in payloads.items()}
    assert rounds == {
        "query.hello hello": 1,
        "query.summarise summarise": 1,
        "train.retrain alone": 2,  # messages of two generations
        "train.retrain together": 2,
    }
