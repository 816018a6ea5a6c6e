# SPDX-License-Identifier: Apache-2.0
"""A silo that was late, killed or failed takes part again; one that never returns is left out, and once."""

import threading
from itertools import chain, repeat

import numpy as np
import pytest
from flwr.app import Error, Message

from tailweave.server.failure import RunFailed
from tailweave.server.rounds import run_seed

SLICED = {"kind": "sliced", "directions": 4, "coefficients": 3}
ARMS = [{"name": "alone", "rule": "random"}, {"name": "woven", "rule": "herding", "reference": SLICED}]
FAT = {"deadline-seconds": 0.05}
PATIENT = {"deadline-seconds": 30.0}
"""Waits end as soon as the silo is back; the deadline is for a test that fails."""


def answer(message: Message, content) -> list[Message]:
    return [Message(content, reply_to=message)]


def silent(message: Message, content) -> list[Message]:
    return []


def failing(message: Message, content) -> list[Message]:
    text = "<class 'tailweave.clients.app.SiloError'>:<'the silo failed at retrain (OSError)'>"
    return [Message(Error(2, text), reply_to=message)]


def refusing(message: Message, content) -> list[Message]:
    return [Message(Error(2, "<class 'tailweave.protocols.refusals.Refusal'>:<'no'>"), reply_to=message)]


def in_turn(*tampers):
    """Behave so at each message, and honestly after the last."""
    plan = chain(tampers, repeat(answer))
    return lambda message, content: next(plan)(message, content)


def killed(made, node: int, *, back_after: float | None):
    """Return a tamper: the node is gone in the middle of its work, as Flower tells it, and comes back."""

    def tamper(message: Message, content) -> list[Message]:
        made.grid.nodes.remove(node)
        if back_after is not None:
            threading.Timer(back_after, made.grid.nodes.append, [node]).start()
        return [Message(Error(5, "gone"), reply_to=message)]

    return tamper


def finished(scene, out: str = "undisturbed", **keys):
    made = scene(out=out, arms=ARMS, **keys)
    run_seed(made.federation, 0, made.kit)
    return made


def events(made) -> list[tuple]:
    return [(e["event"], e["round"], e["silo"], e["arm"]) for e in made.lines("events")]


def same(made, other) -> bool:
    """Compare metrics and what left the silos, byte for byte."""
    names = ("metrics.jsonl", "wire.jsonl")
    return all((made.out / n).read_bytes() == (other.out / n).read_bytes() for n in names)


@pytest.mark.parametrize("tamper", [silent, failing], ids=["late", "failed"])
@pytest.mark.parametrize("kind", ["hello", "summarise", "retrain"])
def test_a_silo_that_missed_a_question_is_asked_again_and_nothing_is_lost(scene, kind, tamper):
    made = scene(arms=ARMS, federation=FAT)
    made.grid.tampers[1, kind] = in_turn(tamper)
    run_seed(made.federation, 0, made.kit)
    assert same(made, finished(scene, federation=FAT))
    silo, arm = ("node-1" if kind == "hello" else "silo-1"), ("alone" if kind == "retrain" else None)
    assert events(made) == [("refused", kind, silo, arm), ("returned", kind, silo, arm)]


@pytest.mark.parametrize("kind", ["hello", "summarise", "retrain"])
def test_a_silo_that_was_killed_and_returns_completes_a_run_of_one_message(scene, kind):
    made = scene(arms=ARMS, federation=PATIENT)
    made.grid.tampers[1, kind] = in_turn(killed(made, 1, back_after=0.1))
    run_seed(made.federation, 0, made.kit)
    assert same(made, finished(scene, federation=FAT))
    assert [event[0] for event in events(made)] == ["refused", "returned"]


def test_a_silo_that_never_returns_is_left_out_and_the_others_complete(scene):
    made = scene(arms=ARMS, federation=FAT)
    made.grid.tampers[1, "retrain"] = killed(made, 1, back_after=None)
    made.grid.tampers[1, "retrain"] = in_turn(made.grid.tampers[1, "retrain"], silent)
    run_seed(made.federation, 0, made.kit)
    rows = made.lines("metrics")
    assert {row["silo"] for row in rows} == {"silo-0", "silo-2"}
    assert events(made) == [("refused", "retrain", "silo-1", arm["name"]) for arm in ARMS]


def test_a_refusal_is_not_asked_for_again(scene):
    made = scene(federation=FAT)
    made.grid.tampers[1, "retrain"] = refusing
    run_seed(made.federation, 0, made.kit)
    assert [node for node, _ in made.grid.of_kind("retrain")] == [0, 1, 2]


def test_a_silo_is_waited_for_in_vain_only_once(scene):
    made = scene(recursion={"generations": 8, "samples": 20})
    made.grid.tampers[1, "retrain"] = silent
    run_seed(made.federation, 0, made.kit)
    asked = [(q.start, q.stop) for node, q in made.grid.of_kind("retrain") if node == 1]
    assert asked == [(0, 2), (0, 2), (0, 4), (0, 6), (0, 8)]


def test_one_that_answered_again_is_waited_for_again(scene):
    made = scene(recursion={"generations": 8, "samples": 20})
    made.grid.tampers[1, "retrain"] = in_turn(silent, silent, answer, silent)
    run_seed(made.federation, 0, made.kit)
    asked = [(q.start, q.stop) for node, q in made.grid.of_kind("retrain") if node == 1]
    assert asked == [(0, 2), (0, 2), (0, 4), (5, 6), (5, 6), (7, 8)]
    generations = [row["generation"] for row in made.lines("metrics") if row["silo"] == "silo-1"]
    assert generations == list(range(9))


def test_a_silo_that_is_killed_again_goes_on_as_long_as_it_gets_further(scene):
    made = scene(arms=[*ARMS, {"name": "third", "rule": "random"}], federation=FAT)
    made.grid.tampers[1, "retrain"] = in_turn(silent, silent, silent, answer, silent, silent, answer)
    run_seed(made.federation, 0, made.kit)
    asked = [q.arm.name for node, q in made.grid.of_kind("retrain") if node == 1]
    assert asked == ["alone", "woven", "third", "alone", "woven", "third", "woven", "third"]
    assert {row["arm"] for row in made.lines("metrics") if row["silo"] == "silo-1"} == set(asked)


def test_without_a_summary_of_its_own_a_silo_still_retrains_with_the_reference(scene):
    made = scene(arms=ARMS, federation=FAT)
    made.grid.tampers[1, "summarise"] = silent
    run_seed(made.federation, 0, made.kit)
    sent = {
        n: q.part("reference")["sketch"] for n, q in made.grid.of_kind("retrain") if q.arm.name == "woven"
    }
    assert np.array_equal(sent[1], sent[0])
    assert events(made) == [("refused", "summarise", "silo-1", None), ("returned", "retrain", "silo-1", None)]


def test_min_clients_counts_those_that_came_back(scene):
    strict = FAT | {"min-clients": 3}
    made = scene(federation=strict)
    made.grid.tampers[1, "retrain"] = in_turn(silent)
    run_seed(made.federation, 0, made.kit)
    gone = scene(out="gone", federation=strict)
    gone.grid.tampers[1, "retrain"] = silent
    with pytest.raises(
        RunFailed, match=r"(?s)2 silos are left, min-clients is 3; .*silo-1 \(retrain\): no answer"
    ):
        run_seed(gone.federation, 0, gone.kit)


def test_a_resumed_run_need_not_be_disturbed_as_before(scene):
    first = scene(federation=FAT)
    first.grid.tampers[1, "retrain"] = in_turn(silent)
    run_seed(first.federation, 0, first.kit)
    first.federation.record.close()
    whole = (first.out / "metrics.jsonl").read_bytes()
    (first.out / "metrics.jsonl").write_bytes(whole[: len(whole) // 2])
    again = scene(federation=FAT)  # in the same folder
    again.grid.tampers[2, "hello"] = in_turn(silent)
    assert again.federation.record.resumed
    run_seed(again.federation, 0, again.kit)
    assert (again.out / "metrics.jsonl").read_bytes() == whole
    assert [(event[0], event[2]) for event in events(again)] == [
        ("refused", "silo-1"),
        ("returned", "silo-1"),
        ("refused", "node-2"),
        ("returned", "node-2"),
    ]
