# SPDX-License-Identifier: Apache-2.0
import ssl

import httpx
import pytest

from simulation.deploy import gate as module


@pytest.fixture
def client(gate):
    link = gate.superlink
    verify = ssl.create_default_context(cafile=gate.ca)
    with httpx.Client(
        base_url=f"https://localhost:{link.fleet_port}", verify=verify, trust_env=False
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


def test_without_a_superlink_nodes_are_told_to_try_again(client):
    assert client.post("/v1/fleet/pull-messages").status_code == 503


def test_a_request_that_is_too_large_is_refused(upstream, client, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    assert client.post("/v1/fleet/push-object", content=b"x" * 1001).status_code == 413
    assert client.post("/v1/fleet/push-object", content=b"x" * 1000).status_code == 200


def test_a_host_elsewhere_is_served_on_all_interfaces(kit):
    from simulation.deploy.federation import load_federation

    path = kit / "federation.yaml"
    assert module.gate_config(load_federation(kit)).host == "127.0.0.1"
    path.write_text(path.read_text().replace('"localhost"', '"flower.example"'))
    assert module.gate_config(load_federation(kit)).host == "0.0.0.0"
