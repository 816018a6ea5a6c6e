# SPDX-License-Identifier: Apache-2.0
"""What peers send costs the gate no memory to speak of, whoever they are and however much it is."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_peers import answered, connect, header, new_kit, node, rss, running, signed_headers

MIB = 2**20
PEERS, BODY = 24, 60
SPARE = 128
"""MiB that the gate may grow by; 24 bodies are 1,440."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return new_kit(tmp_path_factory.mktemp("memory") / "kit")


@pytest.fixture(scope="module")
def gate(kit):
    with running(kit) as process, node(kit) as silo:
        assert silo.post("/v1/fleet/pull-messages", content=b"x").status_code == 200
        yield process


def post(kit, headers):
    """All but the last MiB of a body; the connection, if the gate has not closed it."""
    connection = connect(kit)
    try:
        connection.sendall(header("/v1/fleet/push-object", BODY * MIB, headers))
        for _ in range(BODY - 1):
            connection.sendall(bytes(MIB))
    except OSError:
        connection.close()
        return None
    return connection


def test_bodies_of_strangers_are_not_read(kit, gate):
    before = rss(gate)
    with ThreadPoolExecutor(PEERS) as peers:
        connections = list(peers.map(lambda _: post(kit, {}), range(PEERS)))
    grown = rss(gate) - before
    for connection in filter(None, connections):
        connection.close()
    assert grown < SPARE


def test_who_signs_nothing_is_told_before_a_byte_of_the_body(kit, gate):
    with connect(kit) as stranger:
        stranger.sendall(header("/v1/fleet/push-object", BODY * MIB))
        stranger.settimeout(10)
        assert stranger.recv(20).startswith(b"HTTP/1.1 401 ")


def test_bodies_of_silos_pass_through_in_pieces(kit, gate):
    before, most = rss(gate), 0
    with ThreadPoolExecutor(2) as silos, node(kit, "north") as north, node(kit, "south") as south:
        sent = [
            silos.submit(s.post, "/v1/fleet/push-object", content=bytes(BODY * MIB)) for s in (north, south)
        ]
        while not all(future.done() for future in sent):
            most = max(most, rss(gate))
        assert [future.result().text for future in sent] == [str(BODY * MIB)] * 2
    assert most - before < 32


def test_of_one_silo_no_more_than_one_large_body_reaches_the_superlink(kit, gate):
    signed = signed_headers(kit / "silos/north")
    with ThreadPoolExecutor(8) as silo:
        connections = list(silo.map(lambda _: post(kit, signed), range(8)))
    passed = [connection for connection in connections if connection is not None]
    for connection in passed:
        connection.close()
    assert len(passed) <= 1


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"POST /v1/fleet/x HTTP/1.1\r\nx: ", b"a" * MIB),
        (b"POST /", b"a" * MIB),
        (b"POST /v1/fleet/x HTTP/1.1\r\n", b"x: y\r\n" * (MIB // 6)),
        (b"\r\n" * 100, b"\r\n" * (MIB // 2)),
    ],
    ids=["a line", "a path", "lines", "empty lines"],
)
def test_a_header_without_end_is_cut_off(kit, gate, begin, more):
    before, sent = rss(gate), 0
    connection = connect(kit)
    connection.settimeout(60)
    try:
        connection.sendall(begin)
        while sent < 50:
            connection.sendall(more)
            sent += 1
    except OSError:
        pass
    grown = rss(gate) - before
    with connection:
        told = answered(connection)
    assert sent <= 8
    assert grown < 16
    assert told[:12] in (b"", b"HTTP/1.1 431", b"HTTP/1.1 400")
