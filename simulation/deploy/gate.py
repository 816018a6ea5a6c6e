# SPDX-License-Identifier: Apache-2.0
"""The one open port: an HTTPS proxy to the SuperLink that passes on the Fleet API and nothing else.

Flower serves Control, Fleet and Runtime API on one port, and its Control API has no login: whoever reaches it
may submit code. Requests of the Fleet API are each signed by a node's key, which the SuperLink verifies.
"""

import re
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx
import uvicorn

from simulation.deploy.federation import Federation

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 64 * 2**20
"""Of one request; Flower cuts arrays into chunks of 5 MiB."""
_OPEN = {"POST": re.compile(rb"/v1/fleet/[a-z-]{1,64}"), "GET": re.compile(rb"/health")}
_OF_ONE_HOP = frozenset(
    (
        b"host",
        b"connection",
        b"keep-alive",
        b"transfer-encoding",
        b"content-length",
        b"te",
        b"trailer",
        b"upgrade",
    )
)
_OWN = frozenset((b"date", b"server", b"connection", b"keep-alive", b"transfer-encoding"))
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_MOST_CONNECTIONS = 512


class Gate:
    """An ASGI application in front of one SuperLink."""

    def __init__(self, upstream: str, ca: ssl.SSLContext | bool) -> None:
        """Pass on to ``upstream``, a URL without a path, whose certificate ``ca`` verifies."""
        limits = httpx.Limits(max_connections=_MOST_CONNECTIONS)
        self._upstream = upstream
        self._client = httpx.AsyncClient(verify=ca, timeout=_TIMEOUT, limits=limits, trust_env=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":  # no websocket; uvicorn runs without lifespan events
            return
        allowed = _OPEN.get(scope["method"])
        if allowed is None or not allowed.fullmatch(scope["raw_path"]) or scope["query_string"]:
            await _answer(send, 404, b"only the Fleet API is open here\n")
            return
        body = await _body(receive)
        if body is None:
            await _answer(send, 413, b"the request is too large\n")
            return
        request = httpx.Request(
            scope["method"],
            self._upstream + scope["raw_path"].decode("ascii"),
            headers=[(name, value) for name, value in scope["headers"] if name.lower() not in _OF_ONE_HOP],
            content=body,
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError:
            await _answer(send, 503, b"the SuperLink is not running\n")  # nodes try again on 503
            return
        await _pass_back(response, send)


async def _body(receive: Receive) -> bytes | None:
    parts, size = [], 0
    while True:
        event = await receive()
        part = event.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
        if not event.get("more_body", False):
            return b"".join(parts)


async def _pass_back(response: httpx.Response, send: Send) -> None:
    """Send the answer on as it comes; if it breaks off, so does ours: uvicorn then closes the connection."""
    try:
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OWN]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await response.aclose()


async def _answer(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def gate_config(federation: Federation) -> uvicorn.Config:
    """Return how the gate is served: on loopback if that is the federation's host, else on all interfaces.

    Args:
        federation: Its ports, CA and server certificate.

    Returns:
        uvicorn's configuration.

    Raises:
        OSError: If the CA's certificate is missing.
    """
    host = federation.superlink.host
    server = federation.folder / "server"
    trusted = ssl.create_default_context(cafile=federation.ca)
    return uvicorn.Config(
        Gate(f"https://{federation.control_address}", trusted),
        host="127.0.0.1" if host == "localhost" or host.startswith("127.") else "0.0.0.0",
        port=federation.superlink.fleet_port,
        ssl_certfile=server / "server.pem",
        ssl_keyfile=server / "server.key",
        limit_concurrency=_MOST_CONNECTIONS,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
    )


def serve_gate(federation: Federation) -> None:
    """Serve until SIGTERM; a port that is taken or a key that does not fit ends the process.

    Args:
        federation: Its ports, CA and server certificate.
    """
    uvicorn.Server(gate_config(federation)).run()
