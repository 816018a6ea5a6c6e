# SPDX-License-Identifier: Apache-2.0
"""What the gate says to one peer: which requests pass, and in which order they are looked at."""

import asyncio
import datetime as dt
import re
from dataclasses import dataclass

import h11

from tailweave.server.gate.guests import Guest, Guests
from tailweave.server.gate.keys import KnownKeys
from tailweave.server.gate.limits import Limits
from tailweave.server.gate.refused import Refused
from tailweave.server.gate.signature import signer
from tailweave.server.gate.upstream import Upstream
from tailweave.server.gate.wire import Wire

_FLEET = re.compile(rb"/v1/fleet/[a-z-]{1,64}")


@dataclass(frozen=True)
class House:
    """What all conversations share."""

    limits: Limits
    keys: KnownKeys
    guests: Guests
    upstream: Upstream


async def converse(wire: Wire, guest: Guest, house: House) -> None:
    """Answer requests until the peer goes, is silent, or is refused."""
    while True:
        known = guest.silo is not None
        try:
            request = await wire.request(house.limits.idle_seconds if known else house.limits.header_seconds)
            if request is None:
                return
            async with asyncio.timeout(house.limits.request_seconds):
                await _answer(request, wire, guest, house)
        except Refused as refused:
            await wire.answer(refused)
            return
        if not wire.again():
            return


async def _answer(request: h11.Request, wire: Wire, guest: Guest, house: House) -> None:
    asked = request.method, request.target
    if asked == (b"GET", b"/health"):
        if _size(request):
            raise Refused(413, "a question about health has no body")
        wire.begin(await house.upstream.health(), [(b"content-length", b"0")], last=True)
        await wire.end()
        return
    if request.method != b"POST" or not _FLEET.fullmatch(request.target):
        raise Refused(404, "only the Fleet API is open here")
    silo = signer(request.headers, house.keys, dt.datetime.now(dt.UTC))
    size, most = _size(request), house.limits.body_bytes
    if size > most:
        raise Refused(413, f"the request is too large: {size} bytes, at most {most}")
    house.guests.recognise(guest, silo)
    with house.guests.carrying(guest, size):
        await house.upstream.pass_on(request, wire)


def _size(request: h11.Request) -> int:
    """Return what h11 has checked: digits, one value, and no transfer-encoding beside it."""
    sizes = [int(value) for name, value in request.headers if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in request.headers):
        raise Refused(411, "a body is sent with its content-length")
    return sizes[0] if sizes else 0
