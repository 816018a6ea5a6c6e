# SPDX-License-Identifier: Apache-2.0
import ssl
import time

import httpx
import pytest
from gate_peers import Signing, answered, connect, header, signed_headers

from tailweave.protocols.node_keys import make_node_keys
from tailweave.server.gate import serve as module
from tailweave.server.gate.limits import Limits
from tailweave.simulation.deploy.federation import gate_site


@pytest.fixture
def client(gate):
    link = gate.superlink
    verify = ssl.create_default_context(cafile=gate.ca)
    with httpx.Client(
        base_url=f"https://localhost:{link.fleet_port}",
        verify=verify,
        trust_env=False,
        auth=Signing(gate.folder / "silos/north"),
    ) as client:
        yield client


def test_the_fleet_api_passes_with_headers_body_and_status(upstream, client):
    body = bytes(range(256)) * 8000
    answer = client.post("/v1/fleet/pull-messages", content=body, headers={"x-signed": "abc"})
    assert answer.status_code == 200
    assert answer.content == b"/v1/fleet/pull-messages " + body
    assert answer.headers["x-seen"] == "abc"
    assert len(answer.headers.get_list("date")) == 1
    assert client.post("/v1/fleet/none").status_code == 404
    assert client.get("/health").status_code == 200


def test_headers_of_one_hop_are_not_passed_on(upstream, client):
    more = {"connection": "keep-alive, x-mine", "x-mine": "1", "te": "trailers", "x-else": "2"}
    assert client.post("/v1/fleet/pull-messages", headers=more).status_code == 200
    seen = {name.lower(): value for name, value in upstream.asked[-1][1].items()}
    assert seen["x-else"] == "2"
    assert not {"x-mine", "te", "connection"} & set(seen)


def test_a_silo_has_one_connection_for_many_requests(upstream, client):
    for _ in range(3):
        assert client.post("/v1/fleet/pull-messages", content=b"x").status_code == 200
    pool = client._transport._pool
    assert len(pool.connections) == 1


SHUT = [
    ("POST", "/v1/control/list-nodes"),
    ("POST", "/v1/runtime/acquire-task"),
    ("POST", "/v1/fleet"),
    ("POST", "/v1/fleet/"),
    ("POST", "/v1/fleet/a/b"),
    ("POST", "/v1/fleet/..%2fcontrol%2flist-nodes"),
    ("POST", "/v1/fleet/%2e%2e/control/list-nodes"),
    ("POST", "//v1/fleet/pull-messages"),
    ("POST", "/V1/FLEET/pull-messages"),
    ("POST", "/v1/fleet/pull-messages?x=1"),
    ("GET", "/v1/fleet/pull-messages"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("POST", "/health"),
    ("PUT", "/v1/fleet/pull-messages"),
]


@pytest.mark.parametrize(("method", "path"), SHUT)
def test_all_else_is_shut(upstream, client, method, path):
    answer = client.request(method, path)
    assert (answer.status_code, answer.text) == (404, "only the Fleet API is open here\n")
    assert upstream.asked == []


def test_a_proxy_request_and_an_upgrade_reach_nothing_else(upstream, gate):
    with connect(gate.folder) as absolute:
        absolute.sendall(header(f"http://{gate.control_address}/v1/control/list-nodes", 0))
        assert answered(absolute).startswith(b"HTTP/1.1 404 ")
    with connect(gate.folder) as upgrade:
        more = {"connection": "upgrade", "upgrade": "websocket"}
        upgrade.sendall(header("/v1/fleet/pull-messages", 0, more))
        assert answered(upgrade).startswith(b"HTTP/1.1 401 ")
    assert upstream.asked == []


def test_without_a_superlink_nodes_are_told_to_try_again(client):
    assert client.post("/v1/fleet/pull-messages").status_code == 503
    assert client.get("/health").status_code == 503


def test_however_many_ask_for_health_the_superlink_is_asked_once(upstream, client):
    begun = time.monotonic()
    statuses = [client.get("/health").status_code for _ in range(8)]
    assert statuses == [200] * 8
    assert len(upstream.asked) <= 1 + time.monotonic() - begun


class TestBody:
    @pytest.fixture
    def limits(self):
        return Limits(2, body_bytes=1000, quiet_seconds=0.5)

    def test_one_that_is_too_large_is_refused(self, upstream, client):
        assert client.post("/v1/fleet/push-object", content=b"x" * 1001).status_code == 413
        assert client.post("/v1/fleet/push-object", content=b"x" * 1000).status_code == 200

    def test_one_of_unknown_length_is_refused(self, upstream, client):
        answer = client.post("/v1/fleet/push-object", content=iter([b"x"] * 5))
        assert (answer.status_code, len(upstream.asked)) == (411, 0)

    def test_a_silo_has_so_many_bytes_under_way_and_no_more(self, upstream, gate, client):
        signed = signed_headers(gate.folder / "silos/north")
        with connect(gate.folder) as first:
            first.sendall(header("/v1/fleet/push-object", 900, signed) + b"x")
            time.sleep(0.2)
            assert client.post("/v1/fleet/push-object", content=b"x" * 101).status_code == 503
            assert client.post("/v1/fleet/push-object", content=b"x" * 100).status_code == 200
            other = Signing(gate.folder / "silos/south")
            assert client.post("/v1/fleet/push-object", content=b"x" * 900, auth=other).status_code == 200

    def test_one_that_stops_is_told_so(self, upstream, gate):
        signed = signed_headers(gate.folder / "silos/north")
        with connect(gate.folder) as slow:
            slow.sendall(header("/v1/fleet/push-object", 900, signed) + b"x")
            assert answered(slow).startswith(b"HTTP/1.1 408 ")

    def test_one_that_the_peer_is_asked_for_comes(self, upstream, gate):
        signed = signed_headers(gate.folder / "silos/north") | {"expect": "100-continue"}
        with connect(gate.folder) as waiting:
            waiting.sendall(header("/v1/fleet/push-object", 3, signed))
            assert waiting.recv(1000).startswith(b"HTTP/1.1 100 ")
            waiting.sendall(b"abc")
            assert waiting.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_requests_in_a_row_without_waiting_are_answered_in_order(upstream, gate):
    signed = signed_headers(gate.folder / "silos/north")
    with connect(gate.folder) as eager:
        eager.sendall(header("/v1/fleet/a", 1, signed) + b"1" + header("/v1/fleet/b", 1, signed) + b"2")
        eager.settimeout(10)
        told = b""
        while b"/v1/fleet/b 2" not in told:
            told += eager.recv(1000)
    assert told.index(b"/v1/fleet/a 1") < told.index(b"/v1/fleet/b 2")


def test_a_new_key_and_a_new_silo_need_no_restart(upstream, gate, client):
    north = gate.folder / "silos/north/node.key"
    public = gate.folder / "server/keys/north.pub"
    keys = make_node_keys("north")
    north.write_bytes(keys.private)
    time.sleep(1.1)
    assert client.post("/v1/fleet/pull-messages").status_code == 412
    public.write_bytes(keys.public)
    time.sleep(1.1)
    assert client.post("/v1/fleet/pull-messages").status_code == 200
    public.unlink()
    time.sleep(1.1)
    assert client.post("/v1/fleet/pull-messages").status_code == 412
    (gate.folder / "federation.yaml").write_text("silos: [")
    south = Signing(gate.folder / "silos/south")
    time.sleep(1.1)
    assert client.post("/v1/fleet/pull-messages", auth=south).status_code == 200


def test_a_host_elsewhere_is_served_on_all_interfaces(kit):
    path = kit / "federation.yaml"
    assert gate_site(kit).host == "127.0.0.1"
    path.write_text(path.read_text().replace('"localhost"', '"flower.example"'))
    assert gate_site(kit).host == "0.0.0.0"


def test_tls_below_1_2_is_refused(gate):
    context = ssl.create_default_context(cafile=gate.ca)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)), connect(gate.folder, tls=False) as raw:
        context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda kit: (kit / "server/server.key").write_text("x"), "server.pem and server.key cannot be used"),
        (lambda kit: (kit / "server/server.pem").unlink(), "server.pem and server.key cannot be used"),
        (lambda kit: (kit / "server/ca.crt").write_text("x"), "not a CA certificate"),
    ],
)
def test_what_cannot_be_served_is_one_message(kit, spoil, message):
    spoil(kit)
    with pytest.raises(module.GateError, match=message):
        module.serve_gate(gate_site(kit))


def test_a_port_that_is_taken_is_one_message(gate):
    with pytest.raises(module.GateError, match=r"cannot be listened on: Address already in use"):
        module.serve_gate(gate_site(gate.folder))


def test_too_few_files_are_said_before_anything_listens(kit, monkeypatch):
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (100, 200))
    with pytest.raises(module.GateError, match=r"needs \d+ open files, this host allows 200"):
        module.serve_gate(gate_site(kit))
