# SPDX-License-Identifier: Apache-2.0
import io
import json
import tracemalloc

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailweave.protocols.messages import Hello, HelloReply, Retrain, RetrainReply, Summarise, SummariseReply
from tailweave.protocols.records import (
    MAX_ARRAYS,
    MAX_BODY_BYTES,
    MAX_BODY_COMMAS,
    MessageError,
    decode,
    encode,
    size,
)

RNG = np.random.default_rng(0)
BASE = {"run": "demo", "seed": 2**32 - 1}
SLICED = {"kind": "sliced", "basis": "histogram", "bins": 5, "directions": 3, "range": 0.1 + 0.2}
ZEROS = np.zeros((2, 3))
SIX = [
    Hello(**BASE),
    HelloReply(**BASE, silo="silo-1", columns=64, rows_at_least=200),
    Summarise(**BASE, reference=SLICED, privacy={"min_rows": 7}, arrays={"features/offset": RNG.random(4)}),
    SummariseReply(
        **BASE,
        silo="silo-1",
        reference={"kind": "quantized", "clusters": 9},
        privacy={"epsilon": 2.0, "min_rows": 7},
        noise="seeded",
        arrays={"centroids": RNG.random((2, 3)), "counts": np.array([5.0, 1e300]), "variances": ZEROS},
    ),
    Retrain(
        **BASE,
        arm={"name": "collaborative", "rule": "herding", "reference": SLICED},
        generator={"kind": "gaussian-mixture", "components": 3, "ridge": 1e-7},
        recursion={"generations": 30, "samples": 400, "candidates_per_sample": 2.5},
        evaluation_samples=20,
        start=0,
        stop=30,
        snapshots=(0, 30),
        arrays={"base/means": RNG.random((2, 2, 2)), "reference/sketch": RNG.random((3, 5)).T},
    ),
    RetrainReply(
        **BASE,
        silo="silo-1",
        arm="siloed",
        start=0,
        stop=1,
        names=("w2_sq", "mode_share/é/α"),
        arrays={
            "generations": np.array([0.0, 0.0, 1.0]),
            "metrics": np.array([0.0, 1.0, 0.0]),
            "values": np.array([5e-324, -0.0, 1e99]),
        },
    ),
]
GOOD = HelloReply(**BASE, silo="s", columns=3, rows_at_least=5, arrays={"x": np.arange(6.0).reshape(2, 3)})


def rebuild(arrays=None, config=None, *, drop=(), more=None):
    """The good message, with parts replaced."""
    message = encode(GOOD)
    entries = {k: v for k, v in {**message["message"], **(config or {})}.items() if k not in drop}
    parts = ArrayRecord({**message["arrays"], **(arrays or {})})
    return RecordDict({"message": ConfigRecord(entries), "arrays": parts, **(more or {})})


def raw(data, shape=(2, 3), dtype="float64", stype="numpy.ndarray"):
    return Array(dtype=dtype, shape=shape, stype=stype, data=data)


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def npy_header(text, data=bytes(48)):
    header = text.encode("latin1")
    header += b" " * (-(11 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def body(**changes):
    return json.dumps({**json.loads(encode(GOOD)["message"]["body"]), **changes})


@pytest.mark.parametrize("message", SIX, ids=lambda m: type(m).__name__)
def test_round_trip_is_exact(message):
    back = decode(encode(message), type(message))
    assert back.model_dump() == message.model_dump()
    assert set(back.arrays) == set(message.arrays)
    for name, array in message.arrays.items():
        assert back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes()  # keeps -0.0 and subnormals


@pytest.mark.parametrize(
    "array",
    [np.array(3.0), np.zeros((0, 3)), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(9.0)[::-2]],
    ids=["scalar", "empty", "fortran", "strided"],
)
def test_layout_in_memory_does_not_matter(array):
    back = decode(
        encode(HelloReply(**BASE, silo="s", columns=1, rows_at_least=0, arrays={"x": array})), HelloReply
    )
    assert back.arrays["x"].shape == array.shape
    assert back.arrays["x"].tolist() == array.tolist()


def test_a_networks_parameters_keep_single_precision_and_nothing_else_does():
    single, double = RNG.random((4, 3)).astype(np.float32), RNG.random(3)
    sent = {"base/weights": single, "base/offset": double, "reference/sketch": single}
    question = SIX[4].model_copy(update={"arrays": sent})
    found = decode(encode(question), Retrain).arrays
    assert {name: array.dtype.name for name, array in found.items()} == {
        "base/weights": "float32",
        "base/offset": "float64",
        "reference/sketch": "float64",
    }
    assert np.array_equal(found["base/weights"], single)
    assert np.array_equal(found["reference/sketch"], single)
    assert size(encode(question)) < size(
        encode(question.model_copy(update={"arrays": sent | {"base/weights": single.astype(float)}}))
    )
    for kind, name in ((Retrain, "reference/sketch"), (Summarise, "base/weights")):
        content = encode(SIX[4] if kind is Retrain else SIX[2])
        content["arrays"] = ArrayRecord({name: Array(single)})
        with pytest.raises(
            MessageError, match=f"array '{name}' must be float64 in numpy.ndarray form, got 'float32'"
        ):
            decode(content, kind)


def test_arrays_of_a_decoded_message_cannot_be_altered():
    with pytest.raises(ValueError, match="read-only"):
        decode(rebuild(), HelloReply).arrays["x"][0, 0] = 1.0


def test_size_counts_body_and_array_bytes():
    message = rebuild()
    texts = sum(len(str(v).encode()) for v in message["message"].values())
    assert size(message) == texts + len(message["arrays"]["x"].data)
    assert size(rebuild({"y": Array(np.zeros(1000))})) - size(message) == 8000 + 128  # header: 128 bytes
    assert size(RecordDict()) == 0


HUGE = npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", bytes(64))
STRUCTURED = np.zeros(6, dtype=[("a", "<f4"), ("b", "<f4")])
ARRAYS = {
    "dtype label": (raw(npy(ZEROS), dtype="float32"), "must be float64 in numpy.ndarray form"),
    "float32": (Array(np.zeros((2, 3), np.float32)), "must be float64 .* got 'float32'"),
    "float32 labelled float64": (
        raw(npy(np.zeros((2, 6), np.float32))),
        "must begin with the NPY 1.0 header",
    ),
    "integers": (raw(npy(np.zeros((2, 3), np.int64))), "must begin with the NPY 1.0 header"),
    "big endian": (raw(npy(np.zeros((2, 3), ">f8"))), "must begin with the NPY 1.0 header"),
    "structured": (raw(npy(STRUCTURED), (6,)), "must begin with the NPY 1.0 header"),
    "objects": (
        raw(npy_header("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }")),
        "must begin with the NPY 1.0 header",
    ),
    "torch": (raw(npy(ZEROS), stype="torch.Tensor"), "got 'float64', 'torch.Tensor'"),
    "fortran": (raw(npy(np.asfortranarray(ZEROS))), r"header of float64 \(2, 3\) in C order"),
    "other shape": (raw(npy(ZEROS), (3, 2)), r"header of float64 \(3, 2\) in C order"),
    "flat": (raw(npy(ZEROS), (6,)), r"header of float64 \(6,\)"),
    "huge header": (raw(HUGE), "must begin with the NPY 1.0 header"),
    "huge both": (raw(HUGE, (10**12,)), "declares 8000000000000 bytes, at most 268435456"),
    "huge but empty": (raw(b"", (0, 2**31, 2**31, 2**31)), r"declares \d+ bytes, at most"),
    "just above the limit": (raw(b"", (2**25 + 1,)), "declares 268435464 bytes, at most 268435456"),
    "negative": (raw(b"", (-1, 3)), r"impossible shape \(-1, 3\)"),
    "nine axes": (raw(b"", (1,) * 9), "impossible shape of 9 axes"),
    "lengths that Python will not print": (raw(b"", (10**4200, 10**4200)), "impossible shape"),
    "a length that is a truth value": (raw(b"", (True, 3)), "impossible shape"),
    "truncated": (raw(npy(ZEROS)[:-1]), r"shape \(2, 3\) needs 48 bytes, got 47"),
    "too long": (raw(npy(ZEROS) + b"x"), "needs 48 bytes, got 49"),
    "empty": (raw(b""), "must begin with the NPY 1.0 header"),
    "version 2": (raw(npy(ZEROS, (2, 0))), "must begin with the NPY 1.0 header"),
    "nan": (Array(np.array([1.0, np.nan])), "array 'x' must be finite, got nan"),
    "inf": (Array(np.array([1.0, -np.inf])), "array 'x' must be finite, got -inf"),
}
HEADERS = [
    "{",
    "'''",
    "{[]: 1}",
    "{1: 2, 'a': 3}",
    "(" * 1500,
    "-" * 1800,
    "\x00",
    "{'descr': (), 'shape': (2,3)}",
]


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_do_not_fit_are_refused(case):
    array, message = ARRAYS[case]
    with pytest.raises(MessageError, match=message):
        decode(rebuild({"x": array}), HelloReply)


@pytest.mark.parametrize("header", HEADERS)
def test_headers_are_compared_and_never_parsed(header):
    with pytest.raises(MessageError, match="must begin with the NPY 1.0 header"):
        decode(rebuild({"x": raw(npy_header(header))}), HelloReply)


@pytest.mark.parametrize("case", ["huge header", "huge both", "huge but empty"])
def test_a_claimed_terabyte_costs_nothing(case):
    message = rebuild({"x": ARRAYS[case][0]})
    tracemalloc.start()
    with pytest.raises(MessageError):
        decode(message, HelloReply)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20  # the claim is 8 TB


@pytest.mark.parametrize("name", ["", "\ud800", "a\nb", "/x", "../x", "é", "x" * 201])
def test_odd_names_of_arrays_are_refused(name):
    with pytest.raises(MessageError, match="an array's name is made of"):
        decode(rebuild({name: raw(npy(ZEROS))}), HelloReply)


def test_number_of_arrays_is_bounded():
    with pytest.raises(MessageError, match=f"at most {MAX_ARRAYS} arrays are allowed, got {MAX_ARRAYS + 1}"):
        decode(rebuild({f"a{i}": raw(b"", (0,)) for i in range(MAX_ARRAYS)}), HelloReply)


CONFIGS = {
    "schema version": ({"schema-version": 1}, (), "schema version must be 10, got 1"),
    "schema text": ({"schema-version": "3"}, (), "schema version must be 10, got '3'"),
    "kind": ({"kind": "retrain"}, (), "a hello message was expected, got 'retrain'"),
    "kind bytes": ({"kind": b"\xff"}, (), "a hello message was expected"),
    "long kind": ({"kind": "k" * 10**6}, (), "a hello message was expected, got 'k{64}'$"),
    "no body": ({}, ("body",), r"has body, kind and schema-version, got \['kind', 'schema-version'\]"),
    "entry more": ({"more": 1}, (), "has body, kind and schema-version, got .*'more'"),
    "body bytes": ({"body": b"\xff\xfe{}"}, (), "body must be a text"),
    "body number": ({"body": 3}, (), "body must be a text"),
    "body too long": (
        {"body": " " * (MAX_BODY_BYTES + 1)},
        (),
        "body must be a text of at most 1048576 bytes",
    ),
    "a key twice": (
        {"body": body()[:-1] + ', "columns": 4}'},
        (),
        "the body is not JSON: a key stands twice in an object",
    ),
    "not JSON": ({"body": "run: demo"}, (), "the body is not JSON: Expecting value"),
    "empty body": ({"body": ""}, (), "the body is not JSON"),
    "brackets": ({"body": "[" * 10**5}, (), "the body is not JSON: maximum recursion depth"),
    "braces": ({"body": '{"a":' * 10**5}, (), "the body is not JSON: maximum recursion depth"),
    "5000 digits": ({"body": '{"seed":' + "9" * 5000 + "}"}, (), "the body is not JSON: Exceeds the limit"),
    "a list": ({"body": "[]"}, (), "must be a JSON object without arrays"),
    "null": ({"body": "null"}, (), "must be a JSON object without arrays"),
    "arrays": ({"body": body(arrays={"x": [1.0]})}, (), "must be a JSON object without arrays"),
    "unknown key": ({"body": body(collumns=3)}, (), "collumns: unknown key; did you mean 'columns'"),
    "missing key": (
        {"body": '{"run": "demo", "seed": 1}'},
        (),
        "silo: missing; it must be given; columns: missing",
    ),
    "range": ({"body": body(columns=0)}, (), "columns: input should be greater than or equal to 1, got 0"),
    "NaN": ({"body": body(seed=float("nan"))}, (), "seed: input should be a finite number, got nan"),
    "infinity": ({"body": '{"seed": 1e999}'}, (), "seed: input should be a finite number, got inf"),
    "surrogate": ({"body": body(run="\ud800")}, (), "run: input should be a valid string, unable to parse"),
    "surrogate key": ({"body": body(**{"\ud800": 1})}, (), "unable to parse raw data as a unicode string"),
    "too many letters of three bytes": (
        {"body": body(run="\u20ac" * (MAX_BODY_BYTES // 3)).replace("\\u20ac", "\u20ac")},
        (),
        "body must be a text of at most 1048576 bytes",
    ),
    "half a surrogate pair as it is": (
        {"body": '{"run":"\ud800"}'},
        (),
        "run: input should be a valid string",
    ),
    "too many entries": (
        {"body": body(columns=[0] * (MAX_BODY_COMMAS + 1))},
        (),
        f"body may have at most {MAX_BODY_COMMAS} commas, got {MAX_BODY_COMMAS + 4}",
    ),
    "other schema inside": (
        {"body": body(**{"schema-version": 1})},
        (),
        "schema-version: .* equal to 10, got 1",
    ),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_texts_that_do_not_fit_are_refused(case):
    config, drop, message = CONFIGS[case]
    with pytest.raises(MessageError, match=message):
        decode(rebuild(config=config, drop=drop), HelloReply)


@pytest.mark.parametrize("depth", range(850, 1000, 7))
def test_nesting_near_the_recursion_limit_is_refused(depth):
    text = '{"run":' + "[" * depth + "]" * depth + "}"
    with pytest.raises(MessageError):
        decode(rebuild(config={"body": text}), HelloReply)


def test_a_flood_of_wrong_keys_is_refused_in_a_short_message():
    flood = "{" + ",".join(f'"key{i}":1' for i in range(60_000)) + "}"
    for text in (flood, body(**{"k" * 900_000: 1})):
        with pytest.raises(MessageError) as caught:
            decode(rebuild(config={"body": text}), HelloReply)
        assert len(str(caught.value)) < 10_000  # spelling out every key takes seconds and megabytes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RecordDict(), r"records must be \['arrays', 'message'\], got \[\]"),
        (rebuild(more={"metrics": MetricRecord({"a": 1})}), r"got \['arrays', 'message', 'metrics'\]"),
        (RecordDict({"message": ConfigRecord(), "array": ArrayRecord()}), r"got \['array', 'message'\]"),
        (RecordDict({"message": ArrayRecord(), "arrays": ArrayRecord()}), "'message' must be a ConfigRecord"),
        (RecordDict({"message": ConfigRecord(), "arrays": ConfigRecord()}), "'arrays' an ArrayRecord"),
    ],
)
def test_other_records_are_refused(content, message):
    with pytest.raises(MessageError, match=message):
        decode(content, HelloReply)


def _mutate(data, edits):
    for at, cut, new in edits:
        at %= len(data) + 1
        data = data[:at] + new + data[at + cut :]
    return data


EDIT = st.tuples(st.integers(0, 400), st.sampled_from([0, 1, 1, 1000]), st.binary(max_size=2))


@given(st.lists(EDIT, min_size=1, max_size=6), st.sampled_from(["array", "body"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_bytes_give_a_message_or_a_message_error(edits, where):
    good = rebuild()
    if where == "array":
        message = rebuild({"x": raw(_mutate(good["arrays"]["x"].data, edits))})
    else:
        text = _mutate(good["message"]["body"].encode(), edits).decode("latin1")
        message = rebuild(config={"body": text})
    try:
        back = decode(message, HelloReply)
    except MessageError:
        return
    assert isinstance(back, HelloReply)
    assert back.arrays["x"].shape == (2, 3)
    assert np.isfinite(back.arrays["x"]).all()


@given(st.text(alphabet="{}[]()'\":,<f8descr0123456789LTrue \\\n", max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_header_text_gives_a_message_error(text):
    with pytest.raises(MessageError):
        decode(rebuild({"x": raw(npy_header(text))}), HelloReply)
