# SPDX-License-Identifier: Apache-2.0
"""Connections that do nothing: they stop nobody else, from whatever address, and they end."""

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from gate_peers import connect, descriptors, header, new_kit, node, running, signed_headers

IDLE, PATIENCE = 515, 20.0
DEADLINE = 60.0
"""Above every deadline of the gate (30 s at most) and what a busy host adds."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return new_kit(tmp_path_factory.mktemp("idle") / "kit")


@pytest.fixture(scope="module")
def gate(kit):
    with running(kit) as process:
        yield process


def tcp(kit, source="127.0.0.1"):
    return connect(kit, tls=False, source=source)


def tls(kit, source="127.0.0.1"):
    return connect(kit, source=source)


def begun(kit, source="127.0.0.1"):
    connection = connect(kit, source=source)
    connection.sendall(b"POST /v1/fleet/pull-mess")
    return connection


def slow_body(kit, source="127.0.0.1"):
    connection = connect(kit, source=source)
    connection.sendall(header("/v1/fleet/push-object", 1000) + b"x")
    return connection


def slow_body_of_a_silo(kit):
    connection = connect(kit)
    signed = signed_headers(kit / "silos/south")
    connection.sendall(header("/v1/fleet/push-object", 1000, signed) + b"x")
    return connection


def slow_reader(kit):
    connection = connect(kit)
    asked = signed_headers(kit / "silos/south") | {"x-down": str(60 * 2**20)}
    connection.sendall(header("/v1/fleet/pull-object", 0, asked))
    return connection


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        *((kind, "127.0.0.1") for kind in (tcp, tls, begun, slow_body)),
        *((kind, "127.0.0.2") for kind in (tcp, tls)),
    ],
)
def test_five_hundred_idle_connections_stop_no_silo(kit, gate, kind, source):
    with ExitStack() as stack, node(kit, timeout=PATIENCE) as silo:
        before = silo.post("/v1/fleet/pull-messages", content=b"x")
        for _ in range(IDLE):
            stack.enter_context(kind(kit, source))
        after = silo.post("/v1/fleet/pull-messages", content=b"x")  # on its own connection, if that is kept
        with node(kit, "south", timeout=PATIENCE) as other:
            fresh = other.post("/v1/fleet/pull-messages", content=b"x")
    assert (before.status_code, after.status_code, fresh.status_code) == (200, 200, 200)


@pytest.mark.slow
def test_whoever_is_silent_is_let_go(kit, gate):
    kinds: list[Callable] = [tcp, tls, begun, slow_body, slow_body_of_a_silo, slow_reader]
    time.sleep(3.0)  # what the others left behind is gone
    before = descriptors(gate)
    with ExitStack() as stack:
        for kind in kinds:
            for _ in range(3):
                stack.enter_context(kind(kit))
        assert descriptors(gate) > before
        end = time.monotonic() + DEADLINE
        while descriptors(gate) > before and time.monotonic() < end:
            time.sleep(0.5)
        assert descriptors(gate) <= before
