# SPDX-License-Identifier: Apache-2.0
"""One stream of candidates, message by message; knows nothing of threads or sockets."""

from typing import TypeVar

import grpc
import numpy as np
from google.protobuf.message import DecodeError, Message

from tailweave.clients.selection.streaming import WINDOW, StreamingHerding, StreamingRule, Verdicts
from tailweave.clients.service.limits import Limits
from tailweave.clients.service.served import Served
from tailweave.protocols import selection_pb2 as wire

_FLOAT32 = np.dtype("<f4")
M = TypeVar("M", bound=Message)


class Refused(ValueError):  # noqa: N818 - it reads as what happened
    """A request that is refused; the client is told the code and the text."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        """Say which code, and why: what was found and what is allowed."""
        super().__init__(text)
        self.code = code


def parsed(kind: type[M], data: bytes) -> M:
    """Read one message.

    Raises:
        Refused: INVALID_ARGUMENT, if the bytes are no such message.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        text = f"request of {len(data)} bytes is not a {kind.DESCRIPTOR.name}"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, text) from None


class Session:
    """What one client has sent in one stream."""

    def __init__(self, served: Served, limits: Limits) -> None:
        """Wait for ``open``."""
        self._served, self._limits = served, limits
        self._herding: StreamingHerding | None = None
        self.received = 0

    @property
    def kept(self) -> int:
        """How many candidates were decided to be kept."""
        return 0 if self._herding is None else self._herding.picked

    def answer(self, data: bytes) -> wire.SelectReply | None:
        """Take one request; a batch has a reply, ``open`` has none.

        Raises:
            Refused: With the code that the proto file promises.
        """
        request = parsed(wire.SelectRequest, data)
        step = request.WhichOneof("step")
        if step == "open":
            self._open(request.open)
            return None
        if step == "batch":
            return self._batch(request.batch)
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "request must have open or batch, got neither")

    def finish(self) -> wire.SelectReply:
        """Decide on what is left, after the client's last batch.

        Raises:
            Refused: FAILED_PRECONDITION, if the client never opened.
        """
        return _reply(self._opened("the end of the stream").finish())

    def _open(self, request: wire.Open) -> None:
        if self._herding is not None:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "open must come once, got a second one")
        wanted, served = request.reference_sha256, self._served.kept.digest
        if wanted and wanted != served:
            raise Refused(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"reference_sha256 is not that of the reference served, {served}: call GetReference again",
            )
        try:
            rule = StreamingRule(request.keep, request.of, request.window or WINDOW)
        except ValueError as error:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"open: {error}") from None
        self._herding = StreamingHerding(self._served.target, rule)

    def _batch(self, batch: wire.Batch) -> wire.SelectReply:
        herding = self._opened("a batch")
        self._check(batch)
        features = np.frombuffer(batch.features, dtype=_FLOAT32).reshape(batch.candidates, batch.dimension)
        try:
            verdicts = herding.push(features)
        except ValueError as error:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"batch: {error}") from None
        self.received += batch.candidates
        return _reply(verdicts)

    def _opened(self, what: str) -> StreamingHerding:
        if self._herding is None:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"open must come before {what}")
        return self._herding

    def _check(self, batch: wire.Batch) -> None:
        dimension, most = self._served.target.dimension, self._limits.batch_candidates
        if batch.candidates > most:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"batch: at most {most} candidates, got {batch.candidates}: send smaller batches",
            )
        if batch.dtype not in ("", _FLOAT32.str):
            wrong = f'dtype must be "<f4" (little-endian float32), got {batch.dtype[:20]!r}'
        elif batch.candidates < 1:
            wrong = "candidates must be at least 1, got 0"
        elif batch.dimension != dimension:
            wrong = f"dimension must be {dimension}, got {batch.dimension}"
        elif len(batch.features) != (expected := _FLOAT32.itemsize * batch.candidates * dimension):
            wrong = (
                f"features must have 4 * candidates * dimension = {expected} bytes, got {len(batch.features)}"
            )
        else:
            return
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"batch: {wrong}")


def _reply(verdicts: Verdicts) -> wire.SelectReply:
    return wire.SelectReply(
        first=verdicts.start, keep=verdicts.keep.tolist(), scores=verdicts.scores.tolist()
    )
