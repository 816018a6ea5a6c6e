# SPDX-License-Identifier: Apache-2.0
"""The SuperLink behind the gate."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11

from tailweave.server.gate.line import PIECE, Headers, Line
from tailweave.server.gate.refused import Refused
from tailweave.server.gate.wire import Wire

_OF_ONE_HOP = frozenset(b"connection expect host keep-alive te trailer transfer-encoding upgrade".split())
_OWN = frozenset(b"connection date keep-alive server transfer-encoding".split())
_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_KEPT_SECONDS = 2.0
"""Less than the 5 s after which the SuperLink closes an idle connection, or some requests would meet that."""
_HEALTH_SECONDS = 1.0
_BROKEN = (OSError, ssl.SSLError, TimeoutError, h11.RemoteProtocolError)


class Upstream:
    """Passes requests on and answers back; keeps connections for the next request."""

    def __init__(self, host: str, port: int, ca: ssl.SSLContext) -> None:
        """Pass on to a SuperLink whose certificate ``ca`` verifies."""
        self._host, self._port, self._ca = host, port, ca
        self._kept: list[tuple[float, Line]] = []
        self._health, self._asked_at = 503, -_HEALTH_SECONDS
        self._asking = asyncio.Lock()

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            self._kept.pop()[1].abort()

    async def health(self) -> int:
        """Return the status of the SuperLink's health, a second old: however many ask, it is asked once."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= _HEALTH_SECONDS:
                self._health = await self._ask_health()
                self._asked_at = time.monotonic()
            return self._health

    async def pass_on(self, request: h11.Request, wire: Wire) -> None:
        """Send a request on piece by piece, and the answer back likewise.

        Raises:
            Refused: If the SuperLink does not answer, or the body does not come.
        """
        left_out = _OF_ONE_HOP | _named_by_connection(request.headers)
        headers = [(name, value) for name, value in request.headers if name not in left_out]
        async with self._line() as line:
            answer = await self._ask(line, request, headers, wire.body())
            kept = [(name, value) for name, value in answer.headers if name not in _OWN]
            wire.begin(answer.status_code, kept, last=False)
            async for piece in line.body(_ANSWER_SECONDS):
                await wire.send(piece)
            await wire.end()

    async def _ask_health(self) -> int:
        try:
            async with self._line() as line:
                question = h11.Request(method="GET", target="/health", headers=[("host", self._host)])
                answer = await self._ask(line, question, [], _nothing())
                async for _ in line.body(_ANSWER_SECONDS):
                    continue
                return answer.status_code
        except Refused as refused:
            return refused.status

    async def _ask(
        self, line: Line, request: h11.Request, headers: Headers, body: AsyncIterator[bytes]
    ) -> h11.Response:
        host = (b"host", f"{self._host}:{self._port}".encode())
        try:
            line.hold(h11.Request(method=request.method, target=request.target, headers=[host, *headers]))
            async for piece in body:
                await line.say(h11.Data(data=piece))
            await line.say(h11.EndOfMessage())
            while isinstance(event := await line.hear(_ANSWER_SECONDS), h11.InformationalResponse):
                continue
        except _BROKEN:
            raise Refused(503, "the SuperLink does not answer") from None  # nodes try again on 503
        if not isinstance(event, h11.Response):
            raise Refused(503, "the SuperLink has closed the connection")
        return event

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        line = self._kept_line() or await self._connect()
        try:
            yield line
        except BaseException:
            line.abort()
            raise
        if line.again():
            self._kept.append((time.monotonic(), line))
        else:
            line.abort()

    def _kept_line(self) -> Line | None:
        found = None
        while self._kept and found is None:
            since, line = self._kept.pop()  # the youngest; what lies below it is older still
            if line.usable and time.monotonic() - since < _KEPT_SECONDS:
                found = line
            else:
                line.abort()
        return found

    async def _connect(self) -> Line:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._ca, limit=PIECE
                )
        except _BROKEN:
            raise Refused(503, "the SuperLink is not running") from None
        return Line(reader, writer, h11.Connection(h11.CLIENT), _ANSWER_SECONDS)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b","))
