# SPDX-License-Identifier: Apache-2.0
"""Flower's own SuperNode client, through the gate to Flower's SuperLink, while strangers do their worst."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from flwr.proto.fleet_pb2 import ActivateNodeRequest, PullMessagesRequest
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.error import FlowerError
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor
from gate_peers import ROOT, connect, header, new_kit, node, rss, running, signed_headers

from tailweave.protocols.node_keys import make_node_keys
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.registration import register

MIB = 2**20
PEERS, BODY, IDLE = 16, 60, 515

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return new_kit(tmp_path_factory.mktemp("superlink") / "kit")


@pytest.fixture(scope="module")
def superlink(kit):
    """The kit's SuperLink and gate, both silos registered; gives both processes."""
    own = {"PYTHONPATH": str(ROOT), "TAILWEAVE_BIN": str(Path(sys.executable).parent)}
    script = [str(kit / "server/superlink.sh"), "run", "superlink"]
    with (kit / "superlink.log").open("wb") as log:
        process = subprocess.Popen(script, env=os.environ | own, stdout=log, stderr=log)
    try:
        register(load_federation(kit))
        with running(kit, stand_in=False) as gate:
            yield process, gate
    finally:
        process.terminate()
        process.wait(60)


def supernode(kit, key_file, address=None):
    """What a SuperNode with this key speaks with, as ``flower-supernode`` makes it."""
    federation = load_federation(kit)
    key = serialization.load_ssh_private_key(key_file.read_bytes(), None)
    client = FleetHttpClient.from_server_address(
        address or federation.fleet_address,
        False,
        str(federation.ca),
        [NodeAuthHttpInterceptor(key, key.public_key())],
    )
    return client, ActivateNodeRequest(
        public_key=public_key_to_bytes(key.public_key()), heartbeat_interval=30
    )


@pytest.fixture(scope="module")
def activated(kit, superlink):
    client, hello = supernode(kit, kit / "silos/north/node.key")
    with client:
        yield client, Node(node_id=client.ActivateNode(hello).node_id)


def heartbeat(client, who):
    return client.SendNodeHeartbeat(SendNodeHeartbeatRequest(node=who, heartbeat_interval=30)).success


def test_a_registered_node_is_let_through(activated):
    client, who = activated
    assert heartbeat(client, who)
    assert not client.PullMessages(PullMessagesRequest(node=who)).messages_list


def test_a_node_works_on_among_five_hundred_idle_connections_and_bodies_of_strangers(
    kit, superlink, activated
):
    client, who = activated
    before = [rss(process) for process in superlink]

    def post(_):
        with connect(kit) as stranger:
            try:
                stranger.sendall(header("/v1/fleet/push-object", BODY * MIB))
                for _ in range(BODY - 1):
                    stranger.sendall(bytes(MIB))
            except OSError:
                return True
            time.sleep(5)
            return False

    with ExitStack() as stack, ThreadPoolExecutor(PEERS) as strangers:
        for _ in range(IDLE):
            stack.enter_context(connect(kit, tls=False))
        posts = [strangers.submit(post, number) for number in range(PEERS)]
        beats = []
        while not all(future.done() for future in posts) or len(beats) < 5:
            begun = time.monotonic()
            assert heartbeat(client, who)  # Flower gives up on it after 5 s
            beats.append(time.monotonic() - begun)
            time.sleep(0.2)
        grown = [rss(process) - size for process, size in zip(superlink, before, strict=True)]
        assert all(future.result() for future in posts)
    assert max(grown) < 128


def test_the_gate_refuses_a_key_as_the_superlink_does(kit, superlink, tmp_path):
    """A SuperNode ends with exit code 305 and a reason, whichever of the two it asks."""
    (tmp_path / "node.key").write_bytes(make_node_keys("stranger").private)
    told = []
    for address in (load_federation(kit).fleet_address, load_federation(kit).control_address):
        client, hello = supernode(kit, tmp_path / "node.key", address)
        with client, pytest.raises(httpx.HTTPStatusError) as refused:
            client.ActivateNode(hello)
        told.append(refused.value.response)
    assert [answer.status_code for answer in told] == [412, 412]
    by_gate, by_superlink = (FlowerError.from_json(answer.text) for answer in told)
    assert by_gate.code == by_superlink.code
    assert by_gate.message == "the federation does not know this node's key"


@pytest.mark.parametrize("ago", [-60.0, 3600.0])
def test_a_clock_that_is_wrong_is_refused_at_the_gate(kit, superlink, ago):
    signed = signed_headers(kit / "silos/north", ago)
    with node(kit, None) as through_gate:
        assert through_gate.post("/v1/fleet/pull-messages", headers=signed).status_code == 401


def test_the_superlink_looks_at_what_the_gate_let_through(kit, superlink, activated):
    """One silo's key under another's node id: the gate knows no node ids, the SuperLink does."""
    _, who = activated
    client, _ = supernode(kit, kit / "silos/south/node.key")
    with client, pytest.raises(httpx.HTTPStatusError) as refused:
        client.PullMessages(PullMessagesRequest(node=who))
    assert refused.value.response.status_code == 401
    assert "Invalid SuperNode authentication" in refused.value.response.text
