# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.messages import (
    SCHEMA_VERSION,
    Hello,
    HelloReply,
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
    rows_bucket,
)

BASE = {"run": "demo", "seed": 3}
RETRAIN = {
    **BASE,
    "arm": {"name": "siloed", "rule": "herding", "reference": "local"},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 4, "samples": 10},
    "start": 1,
    "stop": 3,
}
REPLY = {**BASE, "silo": "silo-0", "arm": "siloed", "start": 1, "stop": 2, "names": ("w2_sq", "density")}
MEASURED = {
    "generations": np.array([1.0, 1.0, 2.0]),
    "metrics": np.array([0.0, 1.0, 1.0]),
    "values": np.array([0.5, 2.0, 3.0]),
}


def test_questions_and_answers_share_a_kind():
    pairs = [(Hello, HelloReply), (Summarise, SummariseReply), (Retrain, RetrainReply)]
    assert [(q.kind, a.kind) for q, a in pairs] == [(k, k) for k in ("hello", "summarise", "retrain")]
    assert [q.type for q, _ in pairs] == ["query.hello", "query.summarise", "train.retrain"]
    assert Hello(**BASE).schema_version == SCHEMA_VERSION


def test_part_takes_with_prefix_apart():
    arrays = {"weights": np.zeros(2), "deep/er": np.ones(1)}
    message = Hello(
        **BASE, arrays={**with_prefix("base", arrays), "basement/x": np.zeros(1), "base": np.zeros(1)}
    )
    assert set(message.part("base")) == {"weights", "deep/er"}
    assert message.part("base")["deep/er"] is arrays["deep/er"]
    assert message.part("nothing") == {}


def test_messages_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Hello(**BASE).seed = 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": "Bad Name"}, "should match pattern"),
        ({"run": "a" * 65}, "should match pattern"),
        ({"run": "a\n"}, "should match pattern"),
        ({"run": "../up"}, "should match pattern"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"seed": 2**32}, "less than 4294967296"),
        ({"seed": 1.5}, "valid integer"),
        ({"schema_version": 1}, "greater than or equal to 10"),
        ({"schema_version": 11}, "less than or equal to 10"),
        ({"more": 1}, "Extra inputs"),
        ({"arrays": {"x": [1.0]}}, "instance of ndarray"),
        ({"arrays": {"x": np.array([1.0, np.nan])}}, "array 'x' must be finite, got nan"),
        ({"arrays": {"x": np.array([[np.inf]])}}, "array 'x' must be finite, got inf"),
    ],
)
def test_every_message_refuses(change, message):
    with pytest.raises(ValidationError, match=message):
        Hello(**{**BASE, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"silo": "No Spaces"}, "pattern"),
        ({"columns": 0}, "greater than or equal to 1"),
        ({"rows_at_least": -1}, "0"),
        ({"rows_at_least": 2 * 10**9}, "less than or equal to 1000000000"),
        ({"rows_at_least": 250}, "must be 0 or 1, 2 or 5 times a power of ten, got 250"),
    ],
)
def test_hello_reply_refuses(change, message):
    with pytest.raises(ValidationError, match=message):
        HelloReply(**{**BASE, "silo": "s", "columns": 3, "rows_at_least": 0, **change})


@pytest.mark.parametrize("kind", ["local", "public", "oracle"])
def test_summaries_exist_for_releasing_kinds_only(kind):
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        Summarise(**BASE, reference={"kind": kind}, privacy={})
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        SummariseReply(**BASE, silo="s", reference={"kind": kind}, privacy={}, noise="none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": 4}, "stop must be at least start = 4, got 3"),
        ({"start": -1}, "greater than or equal to 0"),
        ({"stop": 10**7}, "less than or equal to 1000000"),
        ({"evaluation_samples": 3}, "greater than or equal to 20"),
        ({"snapshots": (0, -1)}, "greater than or equal to 0"),
        ({"arm": {"name": "a", "rule": "herding"}}, "rule herding needs a reference"),
    ],
)
def test_retrain_refuses(change, message):
    with pytest.raises(ValidationError, match=message):
        Retrain(**{**RETRAIN, **change})


def test_retrain_allows_a_single_generation():
    assert Retrain(**{**RETRAIN, "start": 3}).stop == 3


def test_a_generation_has_the_metrics_that_could_be_measured_in_it():
    assert RetrainReply(**REPLY, arrays=MEASURED).rows() == {
        1: {"w2_sq": 0.5, "density": 2.0},
        2: {"density": 3.0},
    }


def test_numbers_that_the_owner_keeps_are_none():
    assert RetrainReply(**{**REPLY, "kept": True, "names": ()}).rows() == {}
    with pytest.raises(ValidationError, match="must bring none"):
        RetrainReply(**REPLY, kept=True)


@pytest.mark.parametrize(
    ("change", "arrays", "message"),
    [
        ({}, None, r"needs arrays generations, metrics, values, got \[\]"),
        ({}, {"rows": np.zeros(1)}, r"got \['generations', 'metrics', 'rows', 'values'\]"),
        ({}, {"generations": np.zeros((3, 1))}, "must be vectors of one length"),
        ({}, {"values": np.zeros(2)}, "must be vectors of one length"),
        ({}, {"metrics": np.array([0.0, 2.0, 1.0])}, "places in names, whole numbers from 0 to 1"),
        ({}, {"metrics": np.array([0.0, 0.5, 1.0])}, "places in names, whole numbers from 0 to 1"),
        ({}, {"generations": np.array([1.0, 1.0, 3.0])}, "all from 1 to 2, and no others"),
        ({}, {"generations": np.array([2.0, 2.0, 1.0])}, "by generation, then by name, each once"),
        ({}, {"metrics": np.array([1.0, 0.0, 1.0])}, "by generation, then by name, each once"),
        ({}, {"metrics": np.array([1.0, 1.0, 1.0])}, "by generation, then by name, each once"),
        ({"names": ("w2_sq", "w2_sq")}, {}, "names must differ"),
        ({"names": ("w2_sq", "")}, {}, "at least 1 character"),
        ({"names": ("w2_sq", "x" * 201)}, {}, "at most 200 characters"),
        (
            {"names": ("w2_sq", "speed")},
            {},
            "metric 'speed' is not known here; known are accuracy, association_error",
        ),
        (
            {"names": ("coverage", "density")},
            {"values": np.array([1.5, 2.0, 3.0])},
            "coverage must be within 0 and 1",
        ),
        ({"names": ("mode_share/b", "density")}, {"values": np.array([-0.5, 2.0, 3.0])}, "got -0.5"),
        ({}, {"values": np.array([1.0, np.nan, 1.0])}, "must be finite"),
    ],
)
def test_retrain_reply_refuses(change, arrays, message):
    with pytest.raises(ValidationError, match=message):
        RetrainReply(**{**REPLY, **change}, arrays={} if arrays is None else {**MEASURED, **arrays})


@pytest.mark.parametrize(
    ("rows", "bucket"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (4, 2),
        (5, 5),
        (9, 5),
        (10, 10),
        (19, 10),
        (216, 200),
        (499, 200),
        (999, 500),
        (1000, 1000),
    ],
)
def test_rows_bucket_known_answers(rows, bucket):
    assert rows_bucket(rows) == bucket


@given(st.integers(1, 10**12))
@settings(max_examples=100, deadline=None)
def test_rows_bucket_is_a_lower_bound_within_a_factor_of_two_and_a_half(rows):
    bucket = rows_bucket(rows)
    assert bucket <= rows < 2.5 * bucket
    assert str(bucket)[0] in "125"
    assert set(str(bucket)[1:]) <= {"0"}


@pytest.mark.parametrize(
    ("epsilon", "noise", "match"),
    [(2.0, "none", "epsilon 2 needs seeded or system, got none"), (None, "system", "allows only none")],
)
def test_a_summary_names_noise_just_where_it_was_asked_for(epsilon, noise, match):
    fields = {**BASE, "silo": "silo-0", "reference": {"kind": "quantized"}, "privacy": {"epsilon": epsilon}}
    with pytest.raises(ValidationError, match=match):
        SummariseReply(**fields, noise=noise)
    SummariseReply(**fields, noise="none" if epsilon is None else "system")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": (2, 8, 8)}, "Input should be 1 or 3"),
        ({"image": (1, 8)}, "image"),
        ({"image": (1, 8, 4097)}, "less than or equal to 4096"),
        ({"image": (1, 0, 8)}, "greater than or equal to 1"),
        ({"text_columns": 1}, "greater than or equal to 2"),
        ({"text_columns": 4097}, "less than or equal to 4096"),
        ({"image": (1, 8, 8), "text_columns": 64}, r"image and text-columns exclude each other"),
        ({"text_columns": 64, "documents": True}, r"text-columns and documents exclude each other"),
    ],
)
def test_hello_refuses(change, message):
    with pytest.raises(ValidationError, match=message):
        Hello(**BASE, **change)
