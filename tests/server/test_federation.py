# SPDX-License-Identifier: Apache-2.0
"""Whatever one silo does, it is refused by name and reason, and the run goes on with the others."""

import json
import re
from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict

from tailweave.server.failure import RunFailed
from tailweave.server.rounds import run_seed

SLICED = {"kind": "sliced", "directions": 4, "coefficients": 3}
QUANTIZED = {"kind": "quantized", "clusters": 3}
ARMS = [
    {"name": "alone", "rule": "random"},
    {"name": "sliced", "rule": "herding", "reference": SLICED},
    {"name": "quantized", "rule": "herding", "reference": QUANTIZED},
]
HELLO, SUMMARISE, RETRAIN = "hello", "summarise", "retrain"


def changed(change: Callable[[RecordDict], None]):
    """Return a tamper that alters the honest content."""

    def tamper(message: Message, content: RecordDict) -> list[Message]:
        change(content)
        return [Message(content, reply_to=message)]

    return tamper


def field(name: str, value: object):
    def change(content: RecordDict) -> None:
        body = json.loads(str(content["message"]["body"]))
        content["message"]["body"] = json.dumps({**body, name: value})

    return changed(change)


def array(name: str, alter: Callable[[np.ndarray], np.ndarray]):
    def change(content: RecordDict) -> None:
        arrays = content["arrays"]
        for key in list(arrays):
            if key == name or name == "*":
                arrays[key] = Array(np.ascontiguousarray(alter(arrays[key].numpy().copy())))

    return changed(change)


def extra_array(name: str):
    return changed(lambda content: content["arrays"].update({name: Array(np.zeros(1))}))


def spoilt(values: np.ndarray) -> np.ndarray:
    values[(0,) * values.ndim] = np.nan
    return values


def handler_error(message: Message, content: RecordDict) -> list[Message]:
    return [Message(Error(2, "<class 'ValueError'>:<'the silo has caught fire'>"), reply_to=message)]


def no_record(content: RecordDict) -> None:
    del content["arrays"]


def swapped_records(content: RecordDict) -> None:
    content["message"] = ArrayRecord({})
    content["arrays"] = ConfigRecord({})


ANY = {
    "no record": (changed(no_record), "records must be"),
    "swapped records": (changed(swapped_records), "must be a ConfigRecord"),
    "not JSON": (changed(lambda c: c["message"].update({"body": "{"})), "not JSON"),
    "other schema": (
        changed(lambda c: c["message"].update({"schema-version": 1})),
        "schema version must be 10, got 1",
    ),
    "other kind": (
        changed(lambda c: c["message"].update({"kind": "goodbye"})),
        "message was expected, got 'goodbye'",
    ),
    "unknown field": (field("secret", 1), "secret: unknown key"),
    "wrong type": (field("silo", 7), "silo: input should be a valid string"),
    "wrong run": (field("run", "other"), "answers run other, seed 0, not scripted-1, 0"),
    "wrong seed": (field("seed", 5), "answers run scripted-1, seed 5, not scripted-1, 0"),
    "handler error": (handler_error, "^the silo has caught fire$"),
    "no answer": (lambda message, content: [], "^no answer within 0.05 s$"),
}
SUMMARY = {
    "not finite": (array("*", spoilt), "must be finite, got nan"),
    "float32": (array("*", lambda a: a.astype(np.float32)), "must be float64"),
    "wrong silo": (field("silo", "silo-2"), "answers as silo-2, said hello as silo-1"),
    "a part too many": (extra_array("notes"), "needs arrays .*notes"),
    "a part named like an argument": (extra_array("file"), "needs arrays .*file"),
    "another part named like an argument": (extra_array("allow_pickle"), "needs arrays .*allow_pickle"),
}
RETRAINED = {
    "not finite": (array("values", spoilt), "must be finite, got nan"),
    "wrong silo": (field("silo", "silo-0"), "answers as silo-0, said hello as silo-1"),
    "other arm": (
        field("arm", "elsewhere"),
        "generations 0 to 2 of arm elsewhere, asked for 0 to 2 of alone",
    ),
    "other start": (field("start", 1), "generations must be all from 1 to 2, and no others"),
    "other stop": (field("stop", 5), "generations must be all from 0 to 5, and no others"),
    "too few": (array("*", lambda a: a[:-2]), "generations must be all from 0 to 2, and no others"),
    "twice": (array("*", lambda a: np.concatenate([a, a])), "by generation, then by name, each once"),
    "vectors that do not fit": (array("values", lambda a: a[:-1]), "must be vectors of one length"),
    "a place without a name": (array("metrics", lambda a: a + 1.0), "whole numbers from 0 to 1"),
    "a name without a value": (field("names", ["frechet", "w2_sq", "vendi"]), "'vendi' is named and never"),
    "a metric named like a key": (field("names", ["frechet", "silo"]), "metric 'silo' is not known here"),
    "out of range": (field("names", ["coverage", "w2_sq"]), "coverage must be within 0 and 1, got 2"),
    "far out of range": (
        array("values", lambda a: a + 1e160),
        "frechet must be within 0 and 1e.100, got 1e.160",
    ),
    "numbers that are kept": (field("kept", True), "whose numbers are kept must bring none"),
}


def run(scene) -> None:
    run_seed(scene.federation, 0, scene.kit)
    scene.federation.record.close()


def silos_with_metrics(scene) -> set[str]:
    return {row["silo"] for row in scene.lines("metrics")}


def cases(found: dict) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("tamper", "reason"), found.values(), ids=list(found))


def test_honest_silos_are_all_heard(scene):
    made = scene(arms=ARMS)
    run(made)
    assert made.lines("events") == []
    rows = made.lines("metrics")
    assert len(rows) == 3 * 3 * 5
    assert {(row["arm"], row["silo"], row["generation"]) for row in rows} == {
        (arm["name"], f"silo-{silo}", generation)
        for arm in ARMS
        for silo in range(3)
        for generation in range(5)
    }
    assert all(row["w2_sq"] == float(row["silo"][-1]) and row["frechet"] == row["generation"] for row in rows)


@cases(ANY)
def test_a_wrong_hello_is_refused_by_node_and_reason(scene, tamper, reason):
    made = scene(arms=ARMS)
    made.grid.tampers[1, HELLO] = tamper
    run(made)
    (event,) = made.lines("events")
    assert (event["silo"], event["round"], event["seed"]) == ("node-1", HELLO, 0)
    assert re.search(reason, event["reason"])
    assert silos_with_metrics(made) == {"silo-0", "silo-2"}
    assert all(node != 1 for node, _ in made.grid.of_kind(SUMMARISE) + made.grid.of_kind(RETRAIN))


@pytest.mark.parametrize("kind", ["sliced", "quantized"])
@cases(ANY | SUMMARY)
def test_a_wrong_summary_is_refused_by_silo_and_reason(scene, kind, tamper, reason):
    made = scene(arms=[arm for arm in ARMS if arm["name"] in ("alone", kind)])
    made.grid.tampers[1, SUMMARISE] = tamper
    run(made)
    (event,) = (event for event in made.lines("events") if event["event"] == "refused")
    assert (event["silo"], event["round"], event["seed"]) == ("silo-1", SUMMARISE, 0)
    assert re.search(reason, event["reason"])
    assert silos_with_metrics(made) == {"silo-0", "silo-1", "silo-2"}  # it may still use what the others gave


@cases(ANY | RETRAINED)
def test_wrong_metrics_are_refused_by_silo_arm_and_reason(scene, tamper, reason):
    made = scene()
    made.grid.tampers[1, RETRAIN] = tamper
    run(made)
    events = made.lines("events")
    assert len(events) == 2  # once an exchange: generations 0-2, then all of 0-4
    assert {(e["silo"], e["round"], e["arm"]) for e in events} == {("silo-1", RETRAIN, "alone")}
    assert re.search(reason, events[0]["reason"])
    assert silos_with_metrics(made) == {"silo-0", "silo-2"}
    assert len(made.lines("metrics")) == 2 * 5


@pytest.mark.parametrize(
    ("kind", "tamper", "reason"),
    [
        ("sliced", array("sums", lambda a: a[:-1]), r"sketch must have shape \(4, 3\), got \(3, 3\)"),
        ("sliced", array("count", lambda a: -a), "count must be finite and positive, got -41"),
        (
            "quantized",
            array("centroids", lambda a: np.hstack([a, a])),
            "variances must have 4 columns, got 2",
        ),
        ("quantized", array("counts", lambda a: a * 0), "counts must be finite and positive"),
        ("quantized", array("variances", lambda a: -a), "variances must not be negative"),
        (
            "quantized",
            array("*", lambda a: np.concatenate([a] * 4)),
            "at most 3 clusters were asked for, got",
        ),
    ],
)
def test_a_summary_that_does_not_fit_its_kind_is_refused(scene, kind, tamper, reason):
    made = scene(arms=[arm for arm in ARMS if arm["name"] in ("alone", kind)])
    made.grid.tampers[1, SUMMARISE] = tamper
    run(made)
    (event,) = made.lines("events")
    assert (event["silo"], event["round"]) == ("silo-1", SUMMARISE)
    assert re.search(reason, event["reason"])


def test_a_summary_in_too_many_dimensions_is_refused(scene):
    made = scene(arms=[ARMS[0], ARMS[2]])

    def wide(content: RecordDict) -> None:
        for name in ("centroids", "variances"):
            content["arrays"][name] = Array(np.ones((2, 5)))
        content["arrays"]["counts"] = Array(np.ones(2))

    made.grid.tampers[1, SUMMARISE] = changed(wide)
    run(made)
    (event,) = made.lines("events")
    assert "centroids must have 2 columns, got 5" in event["reason"]


def test_a_summary_for_another_reference_is_refused(scene):
    made = scene(arms=ARMS[:2])
    made.grid.tampers[1, SUMMARISE] = field(
        "reference", {"kind": "sliced", "directions": 4, "coefficients": 3, "range": 9}
    )
    run(made)
    assert made.lines("events")[0]["reason"] == (
        "the summary is for another reference or other privacy bounds than were asked for"
    )


def test_other_columns_are_refused_with_both_numbers(scene):
    made = scene()
    made.grid.tampers[2, HELLO] = field("columns", 7)
    run(made)
    (event,) = made.lines("events")
    assert (event["silo"], event["reason"]) == ("silo-2", "data has 7 columns, the feature map needs 2")
    assert silos_with_metrics(made) == {"silo-0", "silo-1"}


def test_the_first_of_two_answers_is_used_and_the_other_refused(scene):
    made = scene()

    def twice(message: Message, content: RecordDict) -> list[Message]:
        other = RecordDict({"message": ConfigRecord({}), "arrays": ArrayRecord({})})
        return [Message(content, reply_to=message), Message(other, reply_to=message)]

    made.grid.tampers[1, HELLO] = twice
    run(made)
    (event,) = made.lines("events")
    assert event["silo"] == "node-1"
    assert re.search("duplicate answer .* the first is used", event["reason"])
    assert silos_with_metrics(made) == {"silo-0", "silo-1", "silo-2"}


def test_a_name_that_is_taken_is_refused(scene):
    made = scene()
    made.grid.tampers[2, HELLO] = field("silo", "silo-0")
    run(made)
    (event,) = made.lines("events")
    assert (event["silo"], event["reason"]) == ("silo-0", "duplicate: another node is already silo-0")
    assert silos_with_metrics(made) == {"silo-0", "silo-1"}
    assert all(row["w2_sq"] == float(row["silo"][-1]) for row in made.lines("metrics"))


@pytest.mark.parametrize("kind", [HELLO, SUMMARISE, RETRAIN])
def test_below_min_clients_the_run_fails_and_lists_every_reason(scene, kind):
    made = scene(arms=ARMS[:2])
    made.grid.tampers[0, kind] = handler_error
    made.grid.tampers[2, kind] = lambda message, content: []
    with pytest.raises(RunFailed) as caught:
        run(made)
    first, *reasons = str(caught.value).split("\n")
    assert first == "1 silos are left, min-clients is 2; refused:"
    name = "node" if kind == HELLO else "silo"
    assert reasons == [
        f"  {name}-0 ({kind}): the silo has caught fire",
        f"  {name}-2 ({kind}): no answer within 0.05 s",
    ]


def test_min_clients_decides_how_few_are_enough(scene):
    federation = {"deadline-seconds": 0.05, "min-clients": 1}
    made = scene(federation=federation)
    made.grid.tampers[0, HELLO] = made.grid.tampers[2, HELLO] = handler_error
    run(made)
    assert silos_with_metrics(made) == {"silo-1"}
    strict = scene(out="strict", federation={"deadline-seconds": 0.05, "min-clients": 3})
    strict.grid.tampers[0, HELLO] = handler_error
    with pytest.raises(RunFailed, match="2 silos are left, min-clients is 3"):
        run(strict)


def test_an_answer_that_fits_is_used_though_a_wrong_one_came_first(scene):
    made = scene()

    def wrong_first(message: Message, content: RecordDict) -> list[Message]:
        return [*handler_error(message, content), *(Message(content, reply_to=message) for _ in range(2))]

    made.grid.tampers[1, RETRAIN] = wrong_first
    run(made)
    assert silos_with_metrics(made) == {"silo-0", "silo-1", "silo-2"}
    reasons = [event["reason"] for event in made.lines("events")]
    assert reasons[0] == "the silo has caught fire"
    assert re.match("duplicate answer .* the first is used", reasons[1])


def test_a_silo_cannot_fill_the_log_with_its_error(scene):
    made = scene()
    made.grid.tampers[1, HELLO] = lambda message, content: [
        Message(Error(2, "fire! " * 10**5), reply_to=message)
    ]
    run(made)
    assert len(made.lines("events")[0]["reason"]) <= 1000


def test_an_exact_histogram_that_does_not_add_up_is_refused(scene):
    histogram = {"kind": "sliced", "basis": "histogram", "directions": 4, "bins": 3}
    made = scene(arms=[ARMS[0], {"name": "histogram", "rule": "herding", "reference": histogram}])
    made.grid.tampers[1, SUMMARISE] = array("sums", lambda a: a * 100.0)
    run(made)
    (event,) = made.lines("events")
    assert re.search("must add up to the count 41 without noise, got 4100", event["reason"])


def test_a_refused_answer_is_not_counted_as_having_been_used(scene):
    made = scene(arms=ARMS[:2])
    made.grid.tampers[1, SUMMARISE] = handler_error
    run(made)
    summaries = [row for row in made.lines("wire") if row["round"] == SUMMARISE]
    assert [row["silo"] for row in summaries] == ["silo-0", "silo-2"]
