# SPDX-License-Identifier: Apache-2.0
"""FedAvg as the server runs it: known answers, bad silos, and what is sent and kept."""

import numpy as np
import pytest
from flwr.app import Message

from tailweave.protocols.base_file import base_digest, load_base
from tailweave.protocols.fit_messages import FitParametersReply
from tailweave.protocols.messages import HelloReply
from tailweave.protocols.records import decode, encode
from tailweave.protocols.streams import stream
from tailweave.server.failure import RunFailed
from tailweave.server.rounds import run_seed

RIDGE = 1e-6
FEDERATED = {
    "generator": {"kind": "gaussian", "ridge": RIDGE, "start": "federated"},
    "privacy": {"allow-parameter-release": True},
}
UNCAPPED = {"deadline-seconds": 0.05, "generations-per-message": 2, "weight-cap": None}


def rows(node: int, count: int | None = None) -> np.ndarray:
    return stream(node, "rows").normal(size=(count or 40 + node, 2))


def edited(change):
    """Answer with the honest reply after ``change`` (fields, arrays)."""

    def tamper(message: Message, content) -> list[Message]:
        reply = decode(content, FitParametersReply)
        arrays = {name: array.copy() for name, array in reply.arrays.items()}
        fields = {"run": reply.run, "seed": reply.seed, "silo": reply.silo, "turn": reply.turn}
        change(fields, arrays)
        return [Message(encode(FitParametersReply(**fields, arrays=arrays)), reply_to=message)]

    return tamper


def claiming(count: int):
    def tamper(message: Message, content) -> list[Message]:
        reply = decode(content, HelloReply).model_copy(update={"rows_at_least": count})
        return [Message(encode(reply), reply_to=message)]

    return tamper


def sent(made) -> dict[str, np.ndarray]:
    return made.grid.of_kind("retrain")[0][1].part("start")


def reasons(made) -> list[tuple[str, str]]:
    return [(row["silo"], row["reason"]) for row in made.lines("events") if row["round"] == "fit"]


def pooled(parts: list[np.ndarray], weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    shares = np.array(weights) / sum(weights)
    mean = sum(s * x.mean(axis=0) for s, x in zip(shares, parts, strict=True))
    second = sum(s * x.T @ x / len(x) for s, x in zip(shares, parts, strict=True))
    return mean, second - np.outer(mean, mean) + RIDGE * np.eye(2)


def test_after_one_round_it_is_the_gaussian_of_the_pooled_rows_weighted_by_the_rows_named_in_hello(scene):
    made = scene(federation=UNCAPPED, **FEDERATED)
    counts = [100, 1000, 20]
    for node, count in enumerate(counts):
        made.grid.tampers[node, "hello"] = claiming(count)
    run_seed(made.federation, 0, made.kit)
    mean, covariance = pooled([rows(node) for node in range(3)], counts)
    np.testing.assert_allclose(sent(made)["mean"], mean, atol=1e-9)
    np.testing.assert_allclose(sent(made)["covariance"], covariance, atol=1e-9)
    assert [q.turn for _, q in made.grid.of_kind("fit")] == [1, 1, 1]
    kind, kept = load_base(made.out / "base" / "seed-0.npz")
    assert (kind, kept["mean"].tolist()) == ("gaussian", sent(made)["mean"].tolist())


def test_no_silo_outweighs_the_cap(scene):
    made = scene(**FEDERATED)  # the default cap: of three silos each weighs a third
    made.grid.tampers[1, "hello"] = claiming(10**9)
    run_seed(made.federation, 0, made.kit)
    mean, _ = pooled([rows(node) for node in range(3)], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(sent(made)["mean"], mean, atol=1e-12)


def test_each_round_goes_on_from_the_average_of_the_one_before(scene):
    generator = FEDERATED["generator"] | {"federated-rounds": 3}
    made = scene(**FEDERATED | {"generator": generator})
    run_seed(made.federation, 0, made.kit)
    asked = [q for node, q in made.grid.of_kind("fit") if node == 0]
    assert [q.turn for q in asked] == [1, 2, 3]
    assert asked[0].part("model")["mean"].tolist() == [0.0, 0.0]
    mean, _ = pooled([rows(node) for node in range(3)], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(asked[1].part("model")["mean"], mean, atol=1e-12)


def test_the_public_base_is_sent_beside_it_and_the_wire_log_says_what_left(scene):
    made = scene(**FEDERATED)
    run_seed(made.federation, 0, made.kit)
    assert made.grid.of_kind("retrain")[0][1].part("base")["mean"].tolist() == [0.0, 0.0]
    fits = [row for row in made.lines("wire") if row["round"] == "fit"]
    assert [row["silo"] for row in fits] == ["silo-0", "silo-1", "silo-2"]
    assert fits[0]["fields"]["model/second"] == {"shape": [2, 2], "dtype": "float64"}
    assert fits[0]["privacy"] == {"epsilon": None, "noise": "none"}
    assert fits[0]["arrays"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f, a: f.update(turn=2), "answers turn 2, asked for 1"),
        (lambda f, a: a["model/mean"].__imul__(0.0).__iadd__(9.0), "at least the square of the first"),
        (lambda f, a: a["model/second"].__imul__(1e8), "standard deviations of the public base"),
        (lambda f, a: a.update({"model/mean": np.zeros(3)}), "sent were"),
        (lambda f, a: a.update({"model/more": np.zeros(2)}), "sent were"),
    ],
)
def test_a_silo_that_lies_is_not_averaged_and_the_others_go_on(scene, change, reason):
    made = scene(**FEDERATED)
    made.grid.tampers[1, "fit"] = edited(change)
    run_seed(made.federation, 0, made.kit)
    [(silo, said)] = reasons(made)
    assert silo == "silo-1"
    assert reason in said
    mean, _ = pooled([rows(0), rows(2)], [1.0, 1.0])
    np.testing.assert_allclose(sent(made)["mean"], mean, atol=1e-12)
    assert {node for node, _ in made.grid.of_kind("retrain")} == {0, 1, 2}


def test_a_silo_that_missed_a_round_is_asked_again(scene):
    generator = FEDERATED["generator"] | {"federated-rounds": 2}
    made = scene(**FEDERATED | {"generator": generator})
    missed = []

    def once(message: Message, content) -> list[Message]:
        missed.append(message)
        return [] if len(missed) == 1 else [Message(content, reply_to=message)]

    made.grid.tampers[2, "fit"] = once
    run_seed(made.federation, 0, made.kit)
    assert reasons(made) == [("silo-2", "no answer within 0.05 s"), ("silo-2", "asked again, it answered")]
    mean, _ = pooled([rows(node) for node in range(3)], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(sent(made)["mean"], mean, atol=1e-12)


def test_too_few_answers_end_the_run_with_the_reasons(scene):
    made = scene(**FEDERATED)
    for node in (0, 1):
        made.grid.tampers[node, "fit"] = lambda message, content: []
    with pytest.raises(RunFailed, match=r"1 silos are left, min-clients is 2(?s:.*)silo-0 \(fit\)"):
        run_seed(made.federation, 0, made.kit)


def test_of_a_file_that_each_node_has_only_the_digest_is_sent(scene):
    made = scene(generator={"kind": "gaussian", "start": {"path": "/srv/private/base.npz"}})
    run_seed(made.federation, 0, made.kit)
    digest = base_digest("gaussian", made.kit.base)
    question = made.grid.of_kind("retrain")[0][1]
    assert made.grid.of_kind("hello")[0][1].base_digest == question.base_digest == digest
    assert (question.part("base"), question.generator.start.path) == ({}, "base")


def test_otherwise_the_base_is_sent_and_kept_and_nobody_is_asked_to_fit(scene):
    made = scene()
    run_seed(made.federation, 0, made.kit)
    question = made.grid.of_kind("retrain")[0][1]
    assert (question.base_digest, question.part("start"), made.grid.of_kind("fit")) == (None, {}, [])
    assert sorted(question.part("base")) == ["covariance", "mean"]
    assert sorted(load_base(made.out / "base" / "seed-0.npz")[1]) == ["covariance", "mean"]
