# SPDX-License-Identifier: Apache-2.0
"""A kit of two silos with data, as ``tailweave deploy init`` makes it."""

import asyncio
import datetime as dt
import http.server
import os
import socket
import ssl
import threading

import numpy as np
import pytest

from tailweave.server.gate.limits import Limits
from tailweave.server.gate.serve import serve
from tailweave.simulation.deploy.federation import gate_site, load_federation
from tailweave.simulation.deploy.kit import Plan, init

NOW = dt.datetime.now(dt.UTC)


def free_ports(count: int) -> int:
    """First of ``count`` free ports in a row."""
    rng = np.random.default_rng(int.from_bytes(os.urandom(8)))
    for first in rng.integers(20000, 32000, size=200):  # below the range that the kernel hands out itself
        try:
            for port in range(int(first), int(first) + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return int(first)
    raise RuntimeError("no free ports")


class _Upstream(http.server.BaseHTTPRequestHandler):
    """Stands where the SuperLink would: well, and saying what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer(404 if self.path.endswith("none") else 200, self.path.encode() + b" " + body)

    def _answer(self, status, body):
        self.server.asked.append((self.path, dict(self.headers), len(body)))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-seen", self.headers.get("x-signed", "-"))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        return


@pytest.fixture
def upstream(kit):
    """An HTTPS server on the kit's control port, with the kit's certificate."""
    port = load_federation(kit).superlink.control_port
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Upstream)
    server.asked = []  # path, headers, bytes of the answer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kit / "server/server.pem", kit / "server/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def limits():
    """Bounds of the gate; a test may have others."""
    return Limits(2)


@pytest.fixture
def gate(kit, limits):
    """The real gate of the kit, in a thread; gives its federation."""
    federation, loop, up = load_federation(kit), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()
    work = serve(gate_site(kit), limits, up.set, stop)
    thread = threading.Thread(target=loop.run_until_complete, args=(work,), daemon=True)
    thread.start()
    assert up.wait(30)
    yield federation
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()
    loop.close()


@pytest.fixture
def kit(tmp_path):
    folder = tmp_path / "my kit"
    init(folder, Plan(("north", "south"), port=free_ports(20)), now=NOW)
    rng = np.random.default_rng(0)
    for name in ("north", "south"):
        lines = "".join(f"{a:.3f},{b:.3f},{'xy'[int(a > 0)]}\n" for a, b in rng.normal(size=(30, 2)))
        (folder / "silos" / name / "data.csv").write_text("u,v,kind\n" + lines)
        settings = folder / "silos" / name / "node.yaml"
        settings.chmod(0o644)  # its owner's act
        settings.write_text(settings.read_text().replace("label: null", "label: kind"))
    return folder
