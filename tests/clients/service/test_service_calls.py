# SPDX-License-Identifier: Apache-2.0
"""Both calls against a real server with TLS and token: what comes back, and that nothing is left behind."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tailweave.clients.selection.streaming import StreamingRule, streamed_herding
from tailweave.clients.service.limits import Limits
from tailweave.clients.service.served import Served
from tailweave.clients.service.session import Session
from tailweave.protocols import selection_pb2 as wire
from tailweave.protocols.encoders import SealedEncoder
from tailweave.protocols.streams import stream

WAIT = 60.0
SERVICE = "tailweave.selection.v1.Selection"


def candidates(count: int, dimension: int, *path: str) -> np.ndarray:
    return (1.4 * stream(0, "candidates", *path).normal(size=(count, dimension))).astype("<f4")


def batch(rows: np.ndarray) -> wire.SelectRequest:
    return wire.SelectRequest(
        batch=wire.Batch(candidates=len(rows), dimension=rows.shape[1], dtype="<f4", features=rows.tobytes())
    )


def requests(rows: np.ndarray, size: int, **opening: int) -> Iterator[wire.SelectRequest]:
    yield wire.SelectRequest(open=wire.Open(**{"keep": 1, "of": 4} | opening))
    for begin in range(0, len(rows), size):
        yield batch(rows[begin : begin + size])


def eventually(truth: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT
    while not truth() and time.monotonic() < end:
        time.sleep(0.02)
    return truth()


def test_ten_thousand_in_batches_are_one_pick(start, kept):
    rows = candidates(10_000, 5)
    replies = list(start().stub().SelectStream(requests(rows, 256), timeout=WAIT))
    keep = np.concatenate([reply.keep for reply in replies]).astype(bool)
    scores = np.concatenate([reply.scores for reply in replies])
    at_once = streamed_herding(Served.of(kept).target, rows, StreamingRule(1, 4))
    assert np.array_equal(keep, at_once.keep)
    assert keep.sum() == 2500
    assert np.allclose(scores, at_once.scores, rtol=0, atol=1e-6)  # float32 on both sides
    assert len(replies) == 40 + 1  # one a batch and one after the half-close
    decided = np.cumsum([0] + [len(reply.keep) for reply in replies])
    assert [reply.first for reply in replies] == decided[:-1].tolist()


@pytest.mark.parametrize("size", [1, 7, 600])
def test_batches_of_any_size_give_the_same(start, kept, size):
    rows = candidates(700, 5, "sizes")
    replies = start().stub().SelectStream(requests(rows, size, window=64), timeout=WAIT)
    keep = np.concatenate([reply.keep for reply in replies]).astype(bool)
    at_once = streamed_herding(Served.of(kept).target, rows, StreamingRule(1, 4, 64))
    assert np.array_equal(keep, at_once.keep)


def test_a_client_that_waits_for_each_reply_gets_one(start):
    rows, sent = candidates(40, 5), threading.Semaphore(1)

    def lock_step() -> Iterator[wire.SelectRequest]:
        yield wire.SelectRequest(open=wire.Open(keep=1, of=2, window=16))
        for begin in range(0, 40, 10):
            assert sent.acquire(timeout=WAIT)
            yield batch(rows[begin : begin + 10])

    lengths = []
    for reply in start().stub().SelectStream(lock_step(), timeout=WAIT):
        lengths.append(len(reply.keep))
        sent.release()
    assert lengths == [0, 16, 0, 16, 8]


def test_streams_do_not_know_of_each_other(start):
    rows, stub = candidates(300, 5), start().stub()
    first = list(stub.SelectStream(requests(rows, 100), timeout=WAIT))
    assert list(stub.SelectStream(requests(rows, 100), timeout=WAIT)) == first


def test_streams_at_the_same_time_get_what_they_get_alone(start):
    rows, stub = [candidates(2000, 5, str(i)) for i in range(4)], start().stub()
    together = [stub.SelectStream(requests(r, 128), timeout=WAIT) for r in rows]
    picked = [[k for reply in call for k in reply.keep] for call in together]
    for r, got in zip(rows, picked, strict=True):
        alone = stub.SelectStream(requests(r, 128), timeout=WAIT)
        assert got == [k for reply in alone for k in reply.keep]


def test_a_stream_without_candidates_has_one_empty_reply(start):
    stub = start().stub()
    assert list(stub.SelectStream(requests(np.empty((0, 5)), 1), timeout=WAIT)) == [wire.SelectReply()]


def test_reference_tells_how_to_make_features_and_no_rows(start, kept):
    reply = start().stub().GetReference(wire.ReferenceRequest(), timeout=WAIT)
    assert (reply.kind, reply.run, reply.arm, reply.seed) == ("sliced", "run-1", "collaborative", 11)
    assert (reply.dimension, reply.directions, reply.coefficients) == (5, 32, 8)
    assert reply.reference_sha256 == kept.digest
    rows = stream(1, "rows").normal(size=(20, 7))
    mapped = (rows - np.array(reply.feature_map.offset)) @ np.reshape(reply.feature_map.weights, (7, 5))
    assert np.allclose(mapped, kept.features(rows), rtol=1e-12)
    assert reply.feature_map.columns == 7
    assert reply.limits.streams_open == 0
    # 2 x 5 + 7 + 35 + a scale: the map's numbers are there, and none of the sketch's 32 x 8.
    assert reply.ByteSize() < 8 * (7 + 35 + 5 + 1) + 300


def test_a_reference_over_codes_names_the_encoder_that_makes_them(kept):
    parts = {
        "image": np.array([1.0, 8.0, 8.0]),
        "model": np.frombuffer(b"some/model", np.uint8).astype(float),
    }
    reference = replace(kept, features=replace(kept.features, encoder=SealedEncoder(parts)))
    told = Served.of(reference).describe(Limits(), 0).feature_map
    assert (told.encoder, told.columns, len(told.offset)) == ("some/model", 7, 7)
    own = SealedEncoder({"image": parts["image"]})
    reference = replace(kept, features=replace(kept.features, encoder=own))
    assert Served.of(reference).describe(Limits(), 0).feature_map.encoder == "small-conv"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"text-model": np.frombuffer(b"some/model", np.uint8).astype(float)}, "some/model"),
        ({"language-model": np.zeros(9), "digest": np.zeros(4)}, "language-model"),
        ({"rarity": np.ones(7)}, "tf-idf"),
    ],
)
def test_features_of_documents_are_candidates_like_others(kept, parts, name):
    reference = replace(kept, features=replace(kept.features, encoder=SealedEncoder(parts)))
    served = Served.of(reference)
    told = served.describe(Limits(), 0).feature_map
    assert (told.encoder, told.columns, len(told.offset)) == (name, 7, 7)
    session = Session(served, Limits())
    for request in requests(candidates(64, 5), 64):
        session.answer(request.SerializeToString())
    session.finish()
    assert session.kept == 16


def test_another_reference_than_expected_is_refused(start, kept):
    stub, rows = start().stub(), candidates(4, 5)
    good = stub.SelectStream(requests(rows, 4, reference_sha256=kept.digest), timeout=WAIT)
    assert len(list(good)) == 2
    with pytest.raises(grpc.RpcError) as raised:
        list(stub.SelectStream(requests(rows, 4, reference_sha256="0" * 64), timeout=WAIT))
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "call GetReference again" in raised.value.details()


@pytest.mark.parametrize("token", [None, "", "wrong", "correct-horse-battery-staple-", "correct-horse"])
def test_no_call_without_the_token(start, token):
    service = start()
    calls = [
        lambda: service.stub(token).GetReference(wire.ReferenceRequest(), timeout=WAIT),
        lambda: list(service.stub(token).SelectStream(requests(candidates(4, 5), 4), timeout=WAIT)),
        lambda: ProtoReflectionDescriptorDatabase(service.channel(token)).get_services(),
    ]
    for call in calls:
        with pytest.raises(grpc.RpcError) as raised:
            call()
        assert raised.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert "battery" not in raised.value.details()


def test_health_needs_no_token_and_reflection_describes_the_service(start):
    service = start()
    asked = health_pb2.HealthCheckRequest(service=SERVICE)
    health = health_pb2_grpc.HealthStub(service.channel(None)).Check(asked, timeout=WAIT)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(service.channel())
    assert SERVICE in database.get_services()
    described = database.FindFileContainingSymbol(SERVICE)
    assert "SelectRequest" in [message.name for message in described.message_type]


def test_one_stream_too_many_is_refused_and_a_place_is_free_again(start):
    stub, hold = start(streams=1).stub(), threading.Event()

    def held() -> Iterator[wire.SelectRequest]:
        yield from requests(candidates(4, 5), 4)
        hold.wait(WAIT)

    first = stub.SelectStream(held(), timeout=WAIT)
    next(first)
    assert stub.GetReference(wire.ReferenceRequest(), timeout=WAIT).limits.streams_open == 1
    with pytest.raises(grpc.RpcError) as raised:
        list(stub.SelectStream(requests(candidates(4, 5), 4), timeout=WAIT))
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "at most 1 streams" in raised.value.details()
    hold.set()
    list(first)
    assert len(list(stub.SelectStream(requests(candidates(4, 5), 4), timeout=WAIT))) == 2


def test_a_silent_client_is_sent_away(start):
    stub, hold = start(idle_seconds=1).stub(), threading.Event()

    def silent() -> Iterator[wire.SelectRequest]:
        yield wire.SelectRequest(open=wire.Open(keep=1, of=2))
        hold.wait(WAIT)

    with pytest.raises(grpc.RpcError) as raised:
        list(stub.SelectStream(silent(), timeout=WAIT))
    hold.set()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "no message from the client for 1 s" in raised.value.details()


def test_a_client_that_cancels_leaves_no_stream(start):
    stub = start().stub()
    for _ in range(20):
        call = stub.SelectStream(requests(candidates(3000, 5), 50), timeout=WAIT)
        next(call)
        call.cancel()
    assert eventually(lambda: _open_streams(stub) == 0)


@pytest.mark.slow
def test_a_client_that_reads_nothing_is_not_read_from(start):
    """Back-pressure: without it, all 1000 batches (160 MB) would be taken."""
    stub, sent, total = start().stub(), [0], 1000
    rows = batch(candidates(8000, 5))

    def counted() -> Iterator[wire.SelectRequest]:
        yield wire.SelectRequest(open=wire.Open(keep=1, of=2, window=16))
        for _ in range(total):
            sent[0] += 1
            yield rows

    call = stub.SelectStream(counted(), timeout=WAIT)
    assert eventually(lambda: sent[0] > 1)
    before = -1
    while sent[0] != before:  # until nothing has moved for a second
        before = sent[0]
        time.sleep(1.0)
    assert sent[0] < total / 2
    call.cancel()
    assert eventually(lambda: _open_streams(stub) == 0)


def _open_streams(stub) -> int:
    return stub.GetReference(wire.ReferenceRequest(), timeout=WAIT).limits.streams_open
