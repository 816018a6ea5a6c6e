# SPDX-License-Identifier: Apache-2.0
"""Requests that no client should send: each gets its own status code and reason, and the service stays up."""

import struct

import grpc
import pytest

from tailweave.protocols import selection_pb2 as wire

WAIT = 60.0
PATH = "/tailweave.selection.v1.Selection/"
STATUS = grpc.StatusCode
OPEN = wire.SelectRequest(open=wire.Open(keep=1, of=2, window=16)).SerializeToString()
NAN, INF = float("nan"), float("inf")


def opening(**fields) -> bytes:
    return wire.SelectRequest(open=wire.Open(**{"keep": 1, "of": 2} | fields)).SerializeToString()


def batch(*, values=(0.5,) * 10, raw: bytes | None = None, **fields) -> bytes:
    features = struct.pack(f"<{len(values)}f", *values) if raw is None else raw
    shape = {"candidates": 2, "dimension": 5, "dtype": "<f4"}
    return wire.SelectRequest(batch=wire.Batch(features=features, **shape | fields)).SerializeToString()


def spoiled(value: float, place: int) -> tuple[float, ...]:
    return tuple(value if i == place else 0.5 for i in range(10))


BAD_BYTES = {
    "one byte": b"\x0a",
    "text": b"keep one in four, please",
    "json": b'{"open": {"keep": 1, "of": 4}}',
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "all ones": b"\xff" * 40,
    "cut off": batch()[:-3],
    "endless length": b"\x12\xff\xff\xff\xff\x0f",
    "group that never ends": b"\x0b\x0b\x0b",
    "wrong wire type": b"\x0d\x01",
    "nan bytes": struct.pack("<4f", NAN, NAN, NAN, NAN),
    "zeros": b"\x00" * 16,
    "batch with a broken inside": b"\x12\x04\x0a\xff\xff\xff",
}
BAD_OPEN = {
    "keep none": ({"keep": 0}, "keep must be in 1..of"),
    "of none": ({"of": 0}, "keep must be in 1..of"),
    "keep more than there are": ({"keep": 3}, "got keep 3 of 2"),
    "of too large": ({"of": 2**31 + 1}, "of at most 2147483648"),
    "both huge": ({"keep": 2**64 - 1, "of": 2**64 - 1}, "of at most"),
    "window of one": ({"window": 1}, "window must be in 16..4096 candidates, got 1"),
    "window of 15": ({"window": 15}, "got 15"),
    "window of 4097": ({"window": 4097}, "got 4097"),
    "window huge": ({"window": 2**32 - 1}, "got 4294967295"),
    "share too small for the window": ({"of": 513}, "must keep at least one candidate"),
}
BAD_BATCH = {
    "float64": ({"dtype": "<f8"}, "dtype must be"),
    "big endian": ({"dtype": ">f4"}, "dtype must be"),
    "whole numbers": ({"dtype": "<i4"}, "dtype must be"),
    "numpy's word": ({"dtype": "float32"}, "dtype must be"),
    "long dtype": ({"dtype": "<f4" * 1000}, "got '<f4<f4<f4<f4<f4<f4<f'"),
    "no candidates": ({"candidates": 0, "raw": b""}, "candidates must be at least 1"),
    "no candidates, but bytes": ({"candidates": 0}, "candidates must be at least 1"),
    "dimension 0": ({"dimension": 0}, "dimension must be 5, got 0"),
    "dimension 4": ({"dimension": 4}, "dimension must be 5, got 4"),
    "dimension 6": ({"dimension": 6}, "dimension must be 5, got 6"),
    "dimension 10 of one": ({"candidates": 1, "dimension": 10}, "dimension must be 5, got 10"),
    "dimension huge": ({"dimension": 2**32 - 1}, "dimension must be 5, got 4294967295"),
    "no bytes": ({"raw": b""}, "= 40 bytes, got 0"),
    "a byte short": ({"raw": b"\x00" * 39}, "= 40 bytes, got 39"),
    "a byte more": ({"raw": b"\x00" * 41}, "= 40 bytes, got 41"),
    "twice the bytes": ({"raw": b"\x00" * 80}, "= 40 bytes, got 80"),
    "fewer than said": ({"candidates": 3}, "= 60 bytes, got 40"),
    "more than said": ({"candidates": 1}, "= 20 bytes, got 40"),
    "nan at the start": ({"values": spoiled(NAN, 0)}, "must be finite, got nan in row 0, column 0"),
    "nan at the end": ({"values": spoiled(NAN, 9)}, "row 1, column 4"),
    "infinity": ({"values": spoiled(INF, 3)}, "must be finite, got inf"),
    "minus infinity": ({"values": spoiled(-INF, 7)}, "must be finite, got -inf"),
    "signalling nan": ({"raw": b"\x01\x00\x80\x7f" * 10}, "must be finite"),
}
INVALID = {
    **{f"bytes: {name}": ((OPEN, data), "") for name, data in BAD_BYTES.items()},
    **{f"first bytes: {name}": ((data,), "") for name, data in list(BAD_BYTES.items())[:3]},
    **{f"open: {name}": ((opening(**f),), text) for name, (f, text) in BAD_OPEN.items()},
    **{f"batch: {name}": ((OPEN, batch(**f)), text) for name, (f, text) in BAD_BATCH.items()},
    "nothing": ((OPEN, b""), "request must have open or batch, got neither"),
    "nothing first": ((b"",), "got neither"),
    "unknown field alone": ((OPEN, b"\x7a\x02hi"), "got neither"),
    "a good batch, then a bad one": ((OPEN, batch(), batch(raw=b"")), "= 40 bytes, got 0"),
}
EARLY = {
    "batch before open": ((batch(),), "open must come before a batch"),
    "open twice": ((OPEN, OPEN), "open must come once"),
    "open after a batch": ((OPEN, batch(), OPEN), "open must come once"),
    "nothing at all": ((), "open must come before the end of the stream"),
    "another reference": ((opening(reference_sha256="ab"),), "call GetReference again"),
}
TOO_MUCH = {
    "batch of 3001": ((OPEN, batch(candidates=3001)), "at most 3000 candidates, got 3001"),
    "batch that claims 4 billion": ((OPEN, batch(candidates=2**32 - 1)), "at most 3000 candidates"),
    "message of 70,000 bytes": ((OPEN, batch(raw=b"\x00" * 70_000)), "larger than max"),
}
CASES = [
    *(pytest.param(STATUS.INVALID_ARGUMENT, *case, id=name) for name, case in INVALID.items()),
    *(pytest.param(STATUS.FAILED_PRECONDITION, *case, id=name) for name, case in EARLY.items()),
    *(pytest.param(STATUS.RESOURCE_EXHAUSTED, *case, id=name) for name, case in TOO_MUCH.items()),
]


def test_there_are_more_than_fifty():
    assert len(CASES) > 50


@pytest.mark.parametrize(("code", "messages", "text"), CASES)
def test_malformed_request_has_its_code_and_the_service_stays_up(steady, code, messages, text):
    channel = steady.channel()
    raw = channel.stream_stream(PATH + "SelectStream")
    with pytest.raises(grpc.RpcError) as raised:
        list(raw(iter(messages), timeout=WAIT))
    assert (raised.value.code(), text in raised.value.details()) == (code, True), raised.value.details()
    assert "Traceback" not in raised.value.details()
    # The stream ended, the service did not: a well-formed one gets its answers.
    replies = list(raw(iter((OPEN, batch())), timeout=WAIT))
    assert len(wire.SelectReply.FromString(replies[-1]).keep) == 2


def test_bytes_that_are_no_question_for_the_reference_are_refused(steady):
    raw = steady.channel().unary_unary(PATH + "GetReference")
    with pytest.raises(grpc.RpcError) as raised:
        raw(b"\xff\xff", timeout=WAIT)
    assert raised.value.code() == STATUS.INVALID_ARGUMENT
    assert raised.value.details() == "request of 2 bytes is not a ReferenceRequest"


def test_a_call_that_does_not_exist_says_so(steady):
    raw = steady.channel().unary_unary(PATH + "GetRows")
    with pytest.raises(grpc.RpcError) as raised:
        raw(b"", timeout=WAIT)
    assert raised.value.code() == STATUS.UNIMPLEMENTED


def test_no_stream_is_left(steady):
    reply = steady.stub().GetReference(wire.ReferenceRequest(), timeout=WAIT)
    assert reply.limits.streams_open == 0
