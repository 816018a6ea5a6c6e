# SPDX-License-Identifier: Apache-2.0
"""The gate of a kit in a process of its own, a stand-in for the SuperLink, and peers good and bad."""

import os
import random
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization
from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message

from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.kit import Plan, init

ROOT = Path(__file__).parents[1]
WAIT = 60.0
STAND_IN = """
import sys, uvicorn
kit, port = sys.argv[1:]
big = bytes(1 << 20)
async def app(scope, receive, send):
    size, more = 0, True
    while more:
        event = await receive()
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
    down = int(dict(scope["headers"]).get(b"x-down", b"0"))
    headers = [(b"content-length", str(down or len(str(size))).encode()), (b"x-size", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for begin in range(0, down, len(big)):
        await send({"type": "http.response.body", "body": big[:down - begin], "more_body": True})
    await send({"type": "http.response.body", "body": b"" if down else str(size).encode()})
files = dict(ssl_certfile=kit + "/server/server.pem", ssl_keyfile=kit + "/server/server.key")
uvicorn.run(app, port=int(port), log_level="warning", access_log=False, lifespan="off", **files)
"""
"""Served as the SuperLink is, by uvicorn; it answers with the body's size, or with ``x-down`` bytes."""


def new_kit(folder: Path) -> Path:
    """A kit of two silos on free ports of this host, below those that the kernel hands out itself."""
    for first in random.SystemRandom().sample(range(20000, 32000, 20), 50):
        try:
            for port in range(first, first + 16):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        init(folder, Plan(("north", "south"), port=first), now=datetime.now(UTC))
        return folder
    raise RuntimeError("no free ports")


def signed_headers(silo: Path, ago: float = 0.0) -> dict[str, str]:
    """What a SuperNode with the silo's key would send, by Flower's own signature."""
    key = serialization.load_ssh_private_key((silo / "node.key").read_bytes(), None)
    timestamp = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    return {
        "flwr-public-key": b64encode(public_key_to_bytes(key.public_key())).decode(),
        "flwr-timestamp": timestamp,
        "flwr-signature": b64encode(sign_message(key, timestamp.encode())).decode(),
    }


class Signing(httpx.Auth):
    """Signs each request as a silo's SuperNode does."""

    def __init__(self, silo: Path) -> None:
        self._silo = silo

    def auth_flow(self, request):
        request.headers.update(signed_headers(self._silo))
        yield request


def node(kit: Path, silo: str | None = "north", **options) -> httpx.Client:
    """A client of the gate: a silo's, or a stranger."""
    federation = load_federation(kit)
    return httpx.Client(
        base_url=f"https://localhost:{federation.superlink.fleet_port}",
        verify=_trusting(federation.ca),
        trust_env=False,
        auth=None if silo is None else Signing(kit / "silos" / silo),
        timeout=options.pop("timeout", WAIT),
        **options,
    )


def connect(kit: Path, *, tls: bool = True, source: str = "127.0.0.1") -> socket.socket:
    """A raw connection to the gate from a loopback address, with or without TLS's handshake."""
    federation = load_federation(kit)
    address = ("127.0.0.1", federation.superlink.fleet_port)
    raw = socket.create_connection(address, WAIT, source_address=(source, 0))
    if not tls:
        return raw
    return _trusting(federation.ca).wrap_socket(raw, server_hostname="localhost")


@cache
def _trusting(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def header(path: str, size: int, more: dict[str, str] | None = None) -> bytes:
    """A POST's request line and headers."""
    lines = [f"POST {path} HTTP/1.1", "host: localhost", f"content-length: {size}"]
    return "\r\n".join(
        [*lines, *(f"{name}: {value}" for name, value in (more or {}).items()), "", ""]
    ).encode()


def answered(connection: socket.socket) -> bytes:
    """All that comes until the peer closes; b"" if it closes or cuts off without a word."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except (ConnectionError, ssl.SSLError):
        return b"".join(parts)
    return b"".join(parts)


def descriptors(process: subprocess.Popen) -> int:
    """How many files and connections a process has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def rss(process: subprocess.Popen) -> int:
    """Resident memory of a process in MiB."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def _await_port(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + WAIT
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


@contextmanager
def running(kit: Path, *, stand_in: bool = True) -> Iterator[subprocess.Popen]:
    """The gate of a kit as its script starts it; gives its process."""
    link = load_federation(kit).superlink
    gate = [sys.executable, "-m", "tailweave.simulation.cli", "deploy", "gate", str(kit)]
    upstream = [sys.executable, "-c", STAND_IN, str(kit), str(link.control_port)]
    with ExitStack() as stack:
        started = []
        for command, port in [(upstream, link.control_port)] * stand_in + [(gate, link.fleet_port)]:
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
            stack.callback(process.wait, WAIT)
            stack.callback(process.terminate)
            started.append((process, port))
        for process, port in started:
            _await_port(process, port)
        yield started[-1][0]
