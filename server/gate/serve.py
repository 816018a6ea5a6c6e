# SPDX-License-Identifier: Apache-2.0
"""The gate from start to stop: port, certificate, one task a connection."""

import asyncio
import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import h11

from tailweave.server.gate.conversation import House, converse
from tailweave.server.gate.guests import Guest, Guests
from tailweave.server.gate.keys import KnownKeys
from tailweave.server.gate.limits import Limits
from tailweave.server.gate.line import PIECE
from tailweave.server.gate.site import Site
from tailweave.server.gate.upstream import Upstream
from tailweave.server.gate.wire import Wire

logger = logging.getLogger("tailweave.gate")

_BACKLOG = 1024
_GRACE_SECONDS = 5.0
_BREATH_SECONDS = 0.1
_TELL_SECONDS = 60.0
_GONE = (TimeoutError, OSError, ssl.SSLError, h11.ProtocolError)
"""Either end was silent or broke off, or the SuperLink's answer was not as long as it said."""


class GateError(ValueError):
    """A gate that cannot be served; the message says why."""


def serve_gate(site: Site) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        GateError: If the port is taken, a certificate or key does not fit, or too few files may be open.
    """
    limits = Limits(len(site.silos))
    _allow_files(limits.files)
    asyncio.run(serve(site, limits))


async def serve(
    site: Site,
    limits: Limits,
    ready: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until ``stop`` is set; requests under way have 5 s to finish.

    ``ready`` is called as soon as silos can connect.
    ``stop`` is given within another program; signals are then left alone.

    Raises:
        GateError: If the port is taken, or a certificate or key does not fit.
    """
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    guests, upstream = Guests(limits), Upstream(*site.superlink, _trusted(site.ca))
    house = House(limits, KnownKeys(site), guests, upstream)
    context, listener = _context(site), _listen(site.host, site.port)
    at_work = [asyncio.create_task(_accept(listener, context, house)), asyncio.create_task(_tell(guests))]
    ready()
    try:
        await stop.wait()
    finally:
        for task in at_work:
            task.cancel()
        listener.close()
        await _empty(guests)
        upstream.close()


async def _accept(listener: socket.socket, context: ssl.SSLContext, house: House) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, peer = await loop.sock_accept(listener)
        except OSError as error:  # no more files; or the peer has gone already
            logger.warning("a connection could not be accepted: %s", error.strerror)
            house.guests.make_room()
            await asyncio.sleep(_BREATH_SECONDS)
            continue
        guest = house.guests.admit(peer[0])
        guest.task = asyncio.create_task(_receive(connection, context, guest, house))
        await asyncio.sleep(0)  # sock_accept does not wait while there are more: the others have their turn


async def _receive(connection: socket.socket, context: ssl.SSLContext, guest: Guest, house: House) -> None:
    """Shake hands and talk; a guest that is sent away, or fails, leaves nothing behind."""
    try:
        wire = await _shake_hands(connection, context, house.limits)
        try:
            await converse(wire, guest, house)
        except BaseException:
            wire.abort()
            raise
        await wire.close()
    except _GONE as error:
        logger.debug("%s: %r", guest.address, error)
    finally:
        house.guests.leave(guest)


async def _shake_hands(connection: socket.socket, context: ssl.SSLContext, limits: Limits) -> Wire:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=PIECE, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=context,
            ssl_handshake_timeout=limits.handshake_seconds,
            ssl_shutdown_timeout=limits.closing_seconds,
        )
    except BaseException:
        connection.close()
        raise
    return Wire(reader, asyncio.StreamWriter(transport, protocol, reader, loop), limits)


async def _tell(guests: Guests) -> None:
    """Say once a minute, not once a connection, that there were too many."""
    before = 0
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        if guests.sent_away > before:
            logger.warning("%d connections closed to make room for others", guests.sent_away - before)
        before = guests.sent_away


async def _empty(guests: Guests) -> None:
    for guest in guests.all():
        if not guest.busy:
            guest.close()
    tasks = [guest.task for guest in guests.all() if guest.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
    for guest in guests.all():
        guest.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: asyncio then
    # sets TCP_NODELAY on what is accepted, without which an answer in two pieces takes 40 ms
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise GateError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    return listener


def _context(site: Site) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(site.certificate, site.private_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise GateError(f"{site.certificate} and {site.private_key.name} cannot be used: {error}") from None
    return context


def _no_password() -> str:
    raise ValueError("the key asks for a passphrase")


def _trusted(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise GateError(f"{ca}: not a CA certificate: {error}") from None


def _allow_files(needed: int) -> None:
    """Raise the soft limit of open files, if it is too low for so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise GateError(f"the gate needs {needed} open files, this host allows {hard}: ulimit -Hn")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
