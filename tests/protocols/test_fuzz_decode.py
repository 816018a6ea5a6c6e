# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come in: a valid message or the one typed error, within 1 s and 64 MiB.

Bytes go through the doors by which they come in: Flower's own (Protobuf, and the tree of objects that a
SuperLink keeps) and then ``records.decode``. What Flower cannot read never reaches this project's code.
"""

import gc
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailweave.protocols import fit_messages, messages, secure_sum_messages
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.generators.gaussian import GaussianSpec
from tailweave.protocols.messages import SCHEMA_VERSION, Message
from tailweave.protocols.parameters import check_parameters, model_of
from tailweave.protocols.records import MAX_BODY_BYTES, MAX_BODY_COMMAS, MessageError, decode, encode
from tailweave.protocols.references import read_summary

SECONDS, BYTES = 1.0, 64 * 2**20
FLOWER_REFUSES = (DecodeError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
RNG = np.random.default_rng(0)
HEAD = {"run": "fuzzed-1", "seed": 3}
FEATURES = {
    f"features/{name}": array
    for name, array in FeatureMap(np.zeros(2), np.eye(2), np.zeros(2), 1.0).arrays().items()
}
COSINE = {"kind": "sliced", "directions": 3, "coefficients": 2}
HISTOGRAM = {"kind": "sliced", "basis": "histogram", "directions": 3, "bins": 4}
QUANTIZED = {"kind": "quantized", "clusters": 5}
MASKS = {"secure_aggregation": True, "honest_silos": 3, "epsilon": 2.0}
SIGNED = {"public": "a" * 64, "signature": "b" * 128, "identity": "c" * 64}
ROSTER = tuple({"silo": f"silo-{k}", **SIGNED} for k in range(3))
SUMMARY = {"silo": "silo-1", "noise": "none"}
EXACT = {"epsilon": None}
AVERAGED = GaussianSpec(kind="gaussian", start="federated")
MOMENTS = {"mean": np.array([1.0, 0.5]), "second": np.array([[2.0, 0.5], [0.5, 1.25]])}
SAMPLES: list[Message] = [
    messages.Hello(**HEAD),
    messages.Hello(**HEAD, image=(3, 8, 8)),
    messages.Hello(**HEAD, columns=("a", "b"), label="c", text_columns=64),
    messages.HelloReply(**HEAD, silo="silo-1", columns=2, rows_at_least=200),
    messages.Summarise(**HEAD, reference=COSINE, privacy=EXACT, arrays=FEATURES),
    messages.SummariseReply(
        **HEAD,
        **SUMMARY,
        reference=COSINE,
        privacy=EXACT,
        arrays={"sums": RNG.random((3, 2)), "count": np.array([7.0])},
    ),
    messages.SummariseReply(
        **HEAD,
        **SUMMARY,
        reference=HISTOGRAM,
        privacy=EXACT,
        arrays={"sums": np.full((3, 4), 2.0), "count": np.array([8.0])},
    ),
    messages.SummariseReply(
        **HEAD,
        **SUMMARY,
        reference=QUANTIZED,
        privacy=EXACT,
        arrays={"centroids": RNG.random((4, 2)), "counts": np.ones(4), "variances": RNG.random((4, 2))},
    ),
    secure_sum_messages.OfferKey(
        **HEAD, reference=COSINE, privacy=MASKS, number=1, silos=("silo-0", "silo-1"), arrays=FEATURES
    ),
    secure_sum_messages.OfferKeyReply(**HEAD, silo="silo-1", number=1, **SIGNED),
    secure_sum_messages.SendMasked(
        **HEAD, reference=COSINE, privacy=MASKS, number=1, roster=ROSTER, arrays=FEATURES
    ),
    secure_sum_messages.SendMaskedReply(
        **HEAD,
        silo="silo-1",
        reference=COSINE,
        privacy=MASKS,
        number=1,
        noise="seeded",
        arrays={"words": np.arange(7.0)[:, None]},
    ),
    fit_messages.FitParameters(
        **HEAD,
        generator={"kind": "gaussian", "start": "federated"},
        privacy={"epsilon": None, "allow_parameter_release": True},
        turn=1,
        arrays={f"model/{name}": array for name, array in MOMENTS.items()},
    ),
    fit_messages.FitParametersReply(
        **HEAD, silo="silo-1", turn=1, arrays={f"model/{name}": array for name, array in MOMENTS.items()}
    ),
    messages.TransportSupport(
        **HEAD,
        reference={"kind": "barycenter", "support": 2},
        privacy=EXACT,
        turn=1,
        arrays={"support": np.eye(2), **FEATURES},
    ),
    messages.TransportSupportReply(
        **HEAD,
        silo="silo-1",
        reference={"kind": "geodesic", "support": 2},
        turn=1,
        arrays={"moved": np.eye(2)},
    ),
    messages.Retrain(
        **HEAD,
        arm={"name": "one", "rule": "herding", "reference": COSINE},
        generator={"kind": "gaussian"},
        recursion={"generations": 4, "samples": 10},
        start=1,
        stop=3,
        snapshots=(1, 2),
        arrays={
            **FEATURES,
            "base/mean": np.zeros(2),
            "base/weights": np.ones((2, 3), np.float32),
            "reference/sketch": RNG.random((3, 2)),
        },
    ),
    messages.RetrainReply(
        **HEAD,
        silo="silo-1",
        arm="one",
        start=1,
        stop=2,
        names=("w2_sq", "mode_share/é"),
        arrays={
            "generations": np.repeat([1.0, 2.0], 2),
            "metrics": np.array([0.0, 1.0, 0.0, 1.0]),
            "values": RNG.random(4),
        },
    ),
]


def leaves(root: type) -> set[type]:
    below = [leaf for child in root.__subclasses__() for leaf in leaves(child)]
    return set(below) or {root}


def test_every_kind_of_message_is_fuzzed():
    product = {kind for kind in leaves(Message) if kind.__module__.startswith("tailweave.protocols.")}
    assert product == {type(sample) for sample in SAMPLES}


# --- Flower's doors -------------------------------------------------------------------------------------


def over_protobuf(data: bytes) -> RecordDict:
    return recorddict_from_proto(ProtoRecordDict.FromString(data))


def to_protobuf(content: RecordDict) -> bytes:
    return recorddict_to_proto(content).SerializeToString(deterministic=True)


def to_objects(content: RecordDict) -> tuple[str, dict[str, bytes]]:
    return content.object_id, {name: o.deflate() for name, o in get_all_nested_objects(content).items()}


def over_objects(top: str, objects: dict[str, bytes]) -> RecordDict:
    content = inflate_object_from_contents(top, dict(objects))
    if not isinstance(content, RecordDict):
        raise TypeError("a message's only child is a RecordDict")
    return content


# --- the property ---------------------------------------------------------------------------------------


def judged(receive: Callable[[], RecordDict], expected: type[Message]) -> Message | str:
    """Return the message, or whose refusal it was; check time, memory, the error and a stable round trip.

    The time is this thread's, without rounds of the garbage collector: what other tests left would count.
    """
    tracemalloc.start()
    gc.disable()
    try:
        began = time.thread_time()
        found = _received(receive, expected)
        took, peak = time.thread_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        gc.enable()
        tracemalloc.stop()
    assert took < SECONDS
    assert peak < BYTES
    if isinstance(found, Message):
        _is_stable(found)
    return found


def _received(receive: Callable[[], RecordDict], expected: type[Message]) -> Message | str:
    try:
        content = receive()
    except FLOWER_REFUSES:
        return "flower"
    try:
        found = decode(content, expected)
    except MessageError as error:
        _can_be_logged(str(error))
        return "refused"
    _doors_behind(found)
    return found


def _doors_behind(found: Message) -> None:
    """What server and silo read out of a decoded message gives an object or ValueError, like ``decode``."""
    try:
        if isinstance(found, messages.SummariseReply):
            read_summary(found.arrays, found.reference, 2, exact=found.privacy.epsilon is None)
        if isinstance(found, fit_messages.FitParametersReply):
            check_parameters(AVERAGED, found.part("model"), MOMENTS, MOMENTS)
        if isinstance(found, fit_messages.FitParameters) and isinstance(found.generator, GaussianSpec):
            model_of(found.generator, found.part("model"))
        FeatureMap.from_arrays(found.part("features"))
    except ValueError as error:
        _can_be_logged(str(error))


def _can_be_logged(text: str) -> None:
    """The log is UTF-8, and nobody outside may fill it."""
    assert len(text.encode()) < 10_000


def _is_stable(found: Message) -> None:
    once = to_protobuf(encode(found))
    again = decode(over_protobuf(once), type(found))
    assert to_protobuf(encode(again)) == once
    assert again.model_dump() == found.model_dump()
    assert set(again.arrays) == set(found.arrays)
    assert all(again.arrays[name].tobytes() == array.tobytes() for name, array in found.arrays.items())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: type(s).__name__)
def test_valid_messages_come_through_both_of_flowers_doors(sample):
    content = encode(sample)
    for receive in (
        lambda: over_protobuf(to_protobuf(content)),
        lambda: over_objects(*to_objects(content)),
    ):
        found = judged(receive, type(sample))
        assert isinstance(found, Message)
        assert found.model_dump() == sample.model_dump()
        others = {type(other) for other in SAMPLES if type(other).kind != sample.kind}
        assert all(judged(receive, other) == "refused" for other in others)


# --- byte strings ---------------------------------------------------------------------------------------

SENT = [to_protobuf(encode(sample)) for sample in SAMPLES]
DATA = [array.data for sample in SAMPLES for array in encode(sample)["arrays"].values()]
HUGE = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,), }".ljust(
    118
)
EDIT = st.tuples(st.integers(0, 4000), st.sampled_from([0, 1, 1, 4, 1000]), st.binary(max_size=4))


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, cut, new in edits:
        at %= len(data) + 1
        data = data[:at] + new + data[at + cut :]
    return data


def byte_strings(valid: list[bytes]) -> st.SearchStrategy[bytes]:
    """Anything; or something valid with bytes cut, put in and put over; or two things glued together."""
    near = st.builds(edited, st.sampled_from(valid), st.lists(EDIT, max_size=4))
    glued = st.builds(lambda a, b, at: a[:at] + b[at:], near, near, st.integers(0, 400))
    return st.one_of(st.binary(max_size=300), near, near, glued)


def any_bytes_are_a_message_or_the_error(whole: bytes, payload: bytes, sample: Message) -> None:
    judged(lambda: over_protobuf(whole), type(sample))
    content = encode(sample)
    for name, array in content["arrays"].items():
        content["arrays"][name] = Array(array.dtype, array.shape, array.stype, payload)
        break
    else:
        content["arrays"]["x"] = Array("float64", (2, 2), "numpy.ndarray", payload)
    judged(lambda: content, type(sample))
    top, objects = to_objects(encode(sample))
    first = next(iter(objects))
    judged(lambda: over_objects(top, {**objects, first: payload}), type(sample))


ANY_BYTES = {"whole": byte_strings(SENT), "payload": byte_strings([*DATA, HUGE])}
RELAXED = [HealthCheck.too_slow, HealthCheck.data_too_large]


@given(**ANY_BYTES, sample=st.sampled_from(SAMPLES))
@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
def test_any_bytes(whole, payload, sample):
    any_bytes_are_a_message_or_the_error(whole, payload, sample)


@pytest.mark.slow
@given(**ANY_BYTES, sample=st.sampled_from(SAMPLES))
@settings(max_examples=5_000, deadline=None, suppress_health_check=RELAXED)
def test_ten_thousand_byte_strings(whole, payload, sample):  # two an example
    any_bytes_are_a_message_or_the_error(whole, payload, sample)


# --- mutated messages -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """A message taken apart: entries of the config, the body as a tree, arrays as Flower declares them."""

    config: dict[str, Any]
    body: Any
    arrays: dict[str, tuple[str, tuple[int, ...], str, bytes]]
    text: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, sample: Message) -> "Draft":
        content = encode(sample)
        config = {name: content["message"][name] for name in ("schema-version", "kind")}
        arrays = {n: (a.dtype, tuple(a.shape), a.stype, a.data) for n, a in content["arrays"].items()}
        return cls(config, json.loads(str(content["message"]["body"])), arrays)

    def content(self) -> RecordDict:
        text = self.text if self.text is not None else json.dumps(self.body)
        arrays = ArrayRecord({name: Array(*parts) for name, parts in self.arrays.items()})
        config = ConfigRecord({"body": text, **self.config})
        return RecordDict({"message": config, "arrays": arrays, **self.more})


Mutation = Callable[[Draft, Any], Draft]
JUNK = [
    *(float("nan"), float("inf"), -1, -(10**30), 10**30, 1e308, 0.5, 0, True, None, "", "x", "../up", "a\nb"),
    *("\ud800", "x" * 5000, [], {}, [[]], {"kind": "sliced"}, {"kind": []}, [-1] * 300, {"a": {"a": {}}}),
]
SHAPES = [(), (0,), (-1, 2), (2, 3), (10**12,), (2**40, 2**40), (1,) * 9, (10**4200, 10**4200), (True, 2)]
DTYPES = ["float32", "float16", "int64", ">f8", "object", "S8", "", "float64\x00"]
LABELS = ["torch.Tensor", "", "numpy.ndarray ", "pickle"]
NUMBERS = [np.nan, np.inf, -np.inf, -1.0, -1e300, 1e300, 5e-324, 0.0, 2.0**53]
HEADERS = ["(10**12,)", "(1000000000000,)", "(2,) * 3", "(", "", "(2, 2), 'descr': '|O'"]


def _npy(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(11 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(32)


def _paths(tree: Any, at: tuple = ()) -> list[tuple]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [at, *(path for key, value in inside for path in _paths(value, (*at, key)))]


def _put(tree: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = _put(tree[path[0]], path[1:], value)
    return copy


def _junk_in_the_body(draft: Draft, data: Any) -> Draft:
    path = data.draw(st.sampled_from(_paths(draft.body)))
    return replace(draft, body=_put(draft.body, path, data.draw(st.sampled_from(JUNK))))


def _keys(draft: Draft, data: Any) -> Draft:
    if not isinstance(draft.body, dict) or not draft.body:
        return draft
    key = data.draw(st.sampled_from(sorted(draft.body)))
    how = data.draw(st.sampled_from(["drop", "rename", "twice", "more"]))
    rest = {name: value for name, value in draft.body.items() if name != key}
    if how == "twice":
        body = json.dumps(draft.body)
        return replace(draft, text=body[:-1] + "," + json.dumps({key: draft.body[key]})[1:])
    other = {"drop": rest, "rename": {**rest, f"{key}s": 1}, "more": {**draft.body, "\ud800": 1, "no": {}}}
    return replace(draft, body=other[how])


def _text(draft: Draft, data: Any) -> Draft:
    edits = data.draw(st.lists(EDIT, min_size=1, max_size=3))
    return replace(draft, text=edited(json.dumps(draft.body).encode(), edits).decode("latin1"))


def _envelope(draft: Draft, data: Any) -> Draft:
    changes = [
        *(
            {"schema-version": v}
            for v in (0, SCHEMA_VERSION + 1, str(SCHEMA_VERSION), -1, 2**62, 1e300, True)
        ),
        *({"kind": k} for k in ("", "hello", "retrain", b"\xff", 3, [1, 2], "x" * 10**5)),
        *({"body": b} for b in (b"{}", 1, "", "[" * 10**4, '{"a":' * 3000, "NaN", "9" * 5000)),
        {"more": 1},
    ]
    return replace(draft, config={**draft.config, **data.draw(st.sampled_from(changes))})


def _records(draft: Draft, data: Any) -> Draft:
    record = data.draw(st.sampled_from([ConfigRecord(), ArrayRecord(), MetricRecord({"a": float("nan")})]))
    return replace(draft, more={data.draw(st.sampled_from(["message", "arrays", "metrics", ""])): record})


def _array(draft: Draft, data: Any) -> Draft:
    if not draft.arrays:
        return replace(draft, arrays={"x": ("float64", (4,), "numpy.ndarray", _npy("(4,)"))})
    name = data.draw(st.sampled_from(sorted(draft.arrays)))
    dtype, shape, stype, payload = draft.arrays[name]
    changed = data.draw(
        st.one_of(
            st.sampled_from(SHAPES).map(lambda s: (dtype, s, stype, payload)),
            st.just((dtype, shape[::-1], stype, payload)),
            st.sampled_from(DTYPES).map(lambda d: (d, shape, stype, payload)),
            st.sampled_from(LABELS).map(lambda label: (dtype, shape, label, payload)),
            st.sampled_from(HEADERS).map(lambda h: (dtype, shape, stype, _npy(h))),
            st.integers(1, 40).map(lambda cut: (dtype, shape, stype, payload[:-cut])),
            st.lists(EDIT, min_size=1, max_size=3).map(lambda e: (dtype, shape, stype, edited(payload, e))),
        )
    )
    return replace(draft, arrays={**draft.arrays, name: changed})


def _number(draft: Draft, data: Any) -> Draft:
    """Put a number where an array has one: its bytes stay well formed."""
    if not draft.arrays:
        return draft
    name = data.draw(st.sampled_from(sorted(draft.arrays)))
    *declared, payload = draft.arrays[name]
    at = 128 + 8 * data.draw(st.integers(0, 5))
    number = np.float64(data.draw(st.sampled_from(NUMBERS))).tobytes()
    return replace(
        draft, arrays={**draft.arrays, name: (*declared, payload[:at] + number + payload[at + 8 :])}
    )


def _names(draft: Draft, data: Any) -> Draft:
    names = sorted(draft.arrays)
    if not names:
        return draft
    one, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    how = data.draw(st.sampled_from(["drop", "copy", "swap", "odd"]))
    rest = {name: parts for name, parts in draft.arrays.items() if name != one}
    made = {
        "drop": rest,
        "copy": {**draft.arrays, f"{one}2": draft.arrays[one]},
        "swap": {**draft.arrays, one: draft.arrays[other], other: draft.arrays[one]},
        "odd": {**rest, "\ud800/\x00": draft.arrays[one]},
    }
    return replace(draft, arrays=made[how])


def _other_run(draft: Draft, data: Any) -> Draft:
    if not isinstance(draft.body, dict):
        return draft
    changes = data.draw(st.sampled_from([{"seed": 4}, {"run": "another"}, {"seed": 2**32}, {"run": "No!"}]))
    return replace(draft, body={**draft.body, **changes})


MUTATIONS: list[Mutation] = [
    _junk_in_the_body,
    _junk_in_the_body,
    _array,
    _array,
    _number,
    _names,
    _keys,
    _text,
    _envelope,
    _records,
    _other_run,
]


def a_mutated_message_is_valid_or_refused(sample: Message, data: Any) -> None:
    draft = Draft.of(sample)
    for mutation in data.draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=3)):
        draft = mutation(draft, data)
    content = draft.content()
    in_memory = judged(lambda: content, type(sample))
    for send, receive in ((lambda c: (to_protobuf(c),), over_protobuf), (to_objects, over_objects)):
        try:
            sent = send(content)
        except FLOWER_REFUSES:
            continue  # no wire carries it: a length of 4,000 digits, say, in Protobuf
        found = judged(lambda receive=receive, sent=sent: receive(*sent), type(sample))
        if "flower" not in (found, in_memory):
            assert isinstance(found, Message) == isinstance(in_memory, Message)


@given(sample=st.sampled_from(SAMPLES), data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=RELAXED)
def test_mutated_messages(sample, data):
    a_mutated_message_is_valid_or_refused(sample, data)


@pytest.mark.slow
@given(sample=st.sampled_from(SAMPLES), data=st.data())
@settings(max_examples=2_000, deadline=None, suppress_health_check=RELAXED)
def test_two_thousand_mutated_messages(sample, data):
    a_mutated_message_is_valid_or_refused(sample, data)


# --- what is made to be slow or large -------------------------------------------------------------------


def _flood(entry: str, count: int) -> str:
    return ",".join([entry] * count)


FLOODS = {
    "complaints": '{"run":"r","seed":1,"snapshots":[' + _flood("-1", MAX_BODY_COMMAS - 5) + "]}",
    "complaints, too many": '{"run":"r","seed":1,"snapshots":['
    + _flood("-1", MAX_BODY_BYTES // 3 - 50)
    + "]}",
    "keys": "{" + ",".join(f'"k{i}":1' for i in range(MAX_BODY_COMMAS)) + "}",
    "nothing but brackets": "[" * MAX_BODY_BYTES,
    "objects": "[" + _flood("{}", MAX_BODY_COMMAS) + "]",
    "one long text": '{"run":"' + "x" * (MAX_BODY_BYTES - 20) + '"}',
    "digits": "[" + _flood("9" * 4000, MAX_BODY_BYTES // 4001 - 2) + "]",
    "the longest key": '{"' + "k" * (MAX_BODY_BYTES - 10) + '":1}',
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("sample", [SAMPLES[0], SAMPLES[-2], SAMPLES[-1]], ids=lambda s: type(s).__name__)
def test_floods_stay_within_the_bounds(flood, sample):
    draft = replace(Draft.of(sample), text=FLOODS[flood])
    assert len(FLOODS[flood]) <= MAX_BODY_BYTES
    assert judged(draft.content, type(sample)) == "refused"


def test_a_large_array_without_a_finite_number_stays_within_the_bounds():
    content = RecordDict({"message": encode(SAMPLES[0])["message"], "arrays": ArrayRecord()})
    content["arrays"]["x"] = Array(np.full(8 * 2**20, np.nan))  # 64 MiB, which the bounds do not count
    assert judged(lambda: content, type(SAMPLES[0])) == "refused"
