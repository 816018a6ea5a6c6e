# SPDX-License-Identifier: Apache-2.0
"""The two calls of ``protocols/selection.proto``, on an event loop; the maths runs in a few threads."""

import asyncio
import logging
from concurrent.futures import Executor

import grpc

from tailweave.clients.service.limits import Limits
from tailweave.clients.service.served import Served
from tailweave.clients.service.session import Refused, Session, parsed
from tailweave.protocols import selection_pb2 as wire

SERVICE = wire.DESCRIPTOR.services_by_name["Selection"].full_name
logger = logging.getLogger("tailweave.service")
"""Counts and codes only: never a feature, a score or a token."""

Context = grpc.aio.ServicerContext[bytes, bytes]


class Calls:
    """What is served, to how many at the moment."""

    def __init__(self, served: Served, limits: Limits, workers: Executor) -> None:
        """Begin without streams."""
        self._served, self._limits, self._workers = served, limits, workers
        self.streams_open = 0

    def generic(self) -> grpc.GenericRpcHandler:
        """Return both calls by name; they take bytes, so that what cannot be parsed gets our own code."""
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "GetReference": grpc.unary_unary_rpc_method_handler(self._get_reference),
            "SelectStream": grpc.stream_stream_rpc_method_handler(self._select_stream),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _get_reference(self, data: bytes, context: Context) -> bytes:
        try:
            parsed(wire.ReferenceRequest, data)
        except Refused as refused:
            await context.abort(refused.code, str(refused))
        return self._served.describe(self._limits, self.streams_open).SerializeToString()

    async def _select_stream(self, _requests: object, context: Context) -> None:
        if self.streams_open >= self._limits.streams:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"at most {self._limits.streams} streams at a time: try again later",
            )
        session, ending = Session(self._served, self._limits), "cut off by the client"
        self.streams_open += 1
        try:
            await self._converse(session, context)
            ending = "complete"
        except Refused as refused:
            ending = refused.code.name
            await context.abort(refused.code, str(refused))
        finally:  # also when the client is gone: the task is cancelled then
            self.streams_open -= 1
            logger.info(
                "stream %s: %d candidates, %d kept, %d streams open",
                ending,
                session.received,
                session.kept,
                self.streams_open,
            )

    async def _converse(self, session: Session, context: Context) -> None:
        """Read, decide, reply, and only then read again: gRPC's flow control slows the client down."""
        loop = asyncio.get_running_loop()
        while (data := await self._next(context)) is not None:
            reply = await loop.run_in_executor(self._workers, session.answer, data)
            if reply is not None:
                await context.write(reply.SerializeToString())
        last = await loop.run_in_executor(self._workers, session.finish)
        await context.write(last.SerializeToString())

    async def _next(self, context: Context) -> bytes | None:
        """Return the next request, or None after the client's half-close."""
        seconds = self._limits.idle_seconds
        try:
            data = await asyncio.wait_for(context.read(), seconds)
        except TimeoutError:
            text = f"no message from the client for {seconds} s"
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, text) from None
        return data if isinstance(data, bytes) else None  # else grpc.aio.EOF
