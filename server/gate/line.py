# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 on one connection, either end: h11 over a stream, piece by piece, no wait without an end."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import h11

PIECE = 64 * 1024
"""Most bytes read at once, or left unsent before we wait for the peer to take them."""
_MOST_UNREAD = 2**20
Headers = Sequence[tuple[bytes, bytes]]
Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Line:
    """A stream, h11's state of it, and what is held back to be sent with the next piece."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        http: h11.Connection,
        quiet_seconds: float,
    ) -> None:
        """Begin at the first request; ``quiet_seconds`` is how long we wait for the peer to take a piece."""
        self._reader, self._writer, self.http = reader, writer, http
        self._quiet_seconds, self._held = quiet_seconds, b""
        writer.transport.set_write_buffer_limits(high=PIECE)

    @property
    def usable(self) -> bool:
        """Whether the peer has not closed."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def hear(self, seconds: float) -> Event:
        """Return the next event.

        Args:
            seconds: In which it must be whole.

        Raises:
            TimeoutError: If it is not.
            RemoteProtocolError: h11's, if it is no HTTP or too long.
        """
        if (event := self.http.next_event()) is not h11.NEED_DATA:
            return event
        async with asyncio.timeout(seconds):
            while (event := self.http.next_event()) is h11.NEED_DATA:
                self.http.receive_data(await self._reader.read(PIECE))
        return event

    async def body(self, seconds: float) -> AsyncIterator[bytes]:
        """Yield the peer's body as it comes; who does not ask for the next piece slows the peer down.

        Args:
            seconds: In which each piece must come.

        Raises:
            TimeoutError: If one does not.
            RemoteProtocolError: h11's, if the peer breaks off.
        """
        while isinstance(event := await self.hear(seconds), h11.Data):
            yield bytes(event.data)

    def hold(self, event: h11.Event) -> None:
        """Have an event go with the next one."""
        self._held += self.http.send(event) or b""

    async def say(self, event: h11.Event) -> None:
        """Send an event, and wait until the peer has taken most of what was sent.

        Raises:
            TimeoutError: If it does not take it.
        """
        data, self._held = self._held + (self.http.send(event) or b""), b""
        if not data:
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > PIECE:
            async with asyncio.timeout(self._quiet_seconds):
                await self._writer.drain()

    def again(self) -> bool:
        """Make ready for another request; False if the connection is at its end."""
        if self.http.our_state is not h11.DONE or self.http.their_state is not h11.DONE:
            return False
        self.http.start_next_cycle()
        return True

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def close(self, seconds: float) -> None:
        """Say goodbye; read on for a moment, or the peer's unread bytes would cost it our last answer."""
        try:
            async with asyncio.timeout(seconds):
                left = _MOST_UNREAD if self.http.their_state in (h11.SEND_BODY, h11.ERROR) else 0
                while left > 0 and (piece := await self._reader.read(PIECE)):
                    left -= len(piece)
                self._writer.close()
                await self._writer.wait_closed()
        finally:
            self.abort()
