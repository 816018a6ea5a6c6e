# SPDX-License-Identifier: Apache-2.0
"""The peer's end: its requests, and our answers."""

import asyncio
import email.utils
from collections.abc import AsyncIterator

import h11

from tailweave.server.gate.limits import Limits
from tailweave.server.gate.line import Headers, Line
from tailweave.server.gate.refused import Refused


class Wire:
    """One peer, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        """Begin at the first request."""
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._line, self._limits = Line(reader, writer, http, limits.quiet_seconds), limits

    async def request(self, seconds: float) -> h11.Request | None:
        """Return the next request's line and headers, or None if the peer has gone.

        Args:
            seconds: In which all of it must be there.

        Raises:
            TimeoutError: If it is not.
            Refused: If it is too long, or no HTTP.
        """
        try:
            event = await self._line.hear(seconds)
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, f"not HTTP as we know it: {error}") from None
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes.

        Raises:
            Refused: If the next piece does not come in time, or the peer breaks off.
        """
        if self._line.http.they_are_waiting_for_100_continue:
            await self._line.say(h11.InformationalResponse(status_code=100, headers=[]))
        try:
            async for piece in self._line.body(self._limits.quiet_seconds):
                yield piece
        except (TimeoutError, h11.RemoteProtocolError):
            raise Refused(408, "the body does not come") from None

    async def answer(self, refused: Refused) -> None:
        """Refuse a request, unless its answer has begun; the connection ends with it."""
        if self._line.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()  # half an answer must not look like a whole one
            return
        text = f"{refused}\n".encode()
        size = (b"content-length", str(len(text)).encode())
        self.begin(refused.status, [(b"content-type", refused.media.encode()), size], last=True)
        await self.send(text)
        await self.end()

    def begin(self, status: int, headers: Headers, *, last: bool) -> None:
        """Begin an answer, with the time; it goes with the first piece. After the ``last`` we close."""
        own = [(b"date", email.utils.formatdate(usegmt=True).encode())]
        if last:
            own.append((b"connection", b"close"))
        self._line.hold(h11.Response(status_code=status, headers=[*own, *headers]))

    async def send(self, piece: bytes) -> None:
        """Send a piece of the answer's body.

        Raises:
            TimeoutError: If the peer does not take what was sent before.
        """
        await self._line.say(h11.Data(data=piece))

    async def end(self) -> None:
        """End the answer."""
        await self._line.say(h11.EndOfMessage())

    def again(self) -> bool:
        """Make ready for another request; False if the connection is at its end."""
        return self._line.again()

    def abort(self) -> None:
        """Close at once."""
        self._line.abort()

    async def close(self) -> None:
        """Close once the peer has had a moment to read our last answer."""
        await self._line.close(self._limits.closing_seconds)
