# SPDX-License-Identifier: Apache-2.0
"""The gate reads signatures that Flower's own SuperNode makes, as Flower's own SuperLink does."""

import datetime as dt
import json
from base64 import b64encode

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from flwr.common import constant as common
from flwr.supercore import constant
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.error.catalog import API_ERROR_MAP
from flwr.supercore.protobuf.client import ProtobufRequestContext
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor
from gate_peers import signed_headers

from tailweave.server.gate import signature as module
from tailweave.server.gate.keys import KnownKeys
from tailweave.server.gate.refused import Refused
from tailweave.server.gate.signature import signer
from tailweave.simulation.deploy.federation import gate_site


def raw(headers):
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@pytest.fixture
def keys(kit):
    return KnownKeys(gate_site(kit))


def judged(headers, keys):
    return signer(headers, keys, dt.datetime.now(dt.UTC))


def test_names_window_and_code_are_those_of_the_flower_that_is_installed():
    assert tuple(
        name.encode()
        for name in (
            constant.FLEET_HTTP_PUBLIC_KEY_HEADER,
            common.TIMESTAMP_HEADER,
            constant.FLEET_HTTP_SIGNATURE_HEADER,
        )
    ) == (module.PUBLIC_KEY, module.TIMESTAMP, module.SIGNATURE)
    assert module.MOST_AHEAD == common.SYSTEM_TIME_TOLERANCE
    assert module.MOST_BEHIND == common.SYSTEM_TIME_TOLERANCE + common.TIMESTAMP_TOLERANCE
    assert ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED == module.UNKNOWN_CODE
    spec = API_ERROR_MAP[ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED]
    assert spec.http_status_code == module.UNKNOWN_STATUS


def test_what_flower_s_own_supernode_sends_is_the_silo_s(kit, keys):
    key = serialization.load_ssh_private_key((kit / "silos/south/node.key").read_bytes(), None)
    request = httpx.Request("POST", "https://localhost/v1/fleet/pull-messages")
    context = ProtobufRequestContext("Fleet/PullMessages", None, request)
    NodeAuthHttpInterceptor(key, key.public_key()).intercept(context, lambda _: None)
    assert judged(raw(request.headers), keys) == "south"


@pytest.mark.parametrize("ago", [-4.0, 0.0, 300.0])
def test_inside_the_window_it_passes(kit, keys, ago):
    assert judged(raw(signed_headers(kit / "silos/north", ago)), keys) == "north"


@pytest.mark.parametrize("ago", [-8.0, 306.0, 1e6])
def test_outside_the_window_it_does_not(kit, keys, ago):
    with pytest.raises(Refused, match=r"signed -?\d+ s ago, allowed are -5 to 305 s") as caught:
        judged(raw(signed_headers(kit / "silos/north", ago)), keys)
    assert caught.value.status == 401


def test_a_key_of_nobody_is_told_in_flower_s_own_words(kit, keys, tmp_path):
    from tailweave.protocols.node_keys import make_node_keys

    (tmp_path / "node.key").write_bytes(make_node_keys("stranger").private)
    with pytest.raises(Refused) as caught:
        judged(raw(signed_headers(tmp_path)), keys)
    assert (caught.value.status, caught.value.media) == (412, "application/json")
    error = FlowerError.from_json(str(caught.value))
    assert error.message == "the federation does not know this node's key"
    assert json.loads(str(caught.value))["code"] == error.code


SPOILED = {
    "no key": {"flwr-public-key": None},
    "no time": {"flwr-timestamp": None},
    "no signature": {"flwr-signature": None},
    "no base64": {"flwr-signature": "*"},
    "empty": {"flwr-signature": ""},
    "another's signature": {"flwr-signature": b64encode(b"\x30\x06\x02\x01\x01\x02\x01\x01").decode()},
    "no zone": {"flwr-timestamp": dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat()},
    "no time at all": {"flwr-timestamp": "now"},
    "year 1": {"flwr-timestamp": "0001-01-01T00:00:00+23:59"},
    "year 9999": {"flwr-timestamp": "9999-12-31T23:59:59-23:59"},
    "not ASCII": {"flwr-timestamp": "2026\u0664"},
    "another time": {"flwr-timestamp": (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=9)).isoformat()},
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_what_is_spoiled_is_refused(kit, keys, change):
    headers = signed_headers(kit / "silos/north") | change
    with pytest.raises(Refused) as caught:
        judged(raw({name: value for name, value in headers.items() if value is not None}), keys)
    assert caught.value.status == 401


def test_a_header_twice_is_refused(kit, keys):
    headers = raw(signed_headers(kit / "silos/north"))
    for again in headers:
        with pytest.raises(Refused, match="needed once"):
            judged([*headers, again], keys)


def test_the_key_of_one_silo_under_the_signature_of_another_is_refused(kit, keys):
    mixed = signed_headers(kit / "silos/north") | {
        "flwr-public-key": signed_headers(kit / "silos/south")["flwr-public-key"]
    }
    with pytest.raises(Refused, match="not of this key"):
        judged(raw(mixed), keys)
