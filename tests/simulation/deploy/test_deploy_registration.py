# SPDX-License-Identifier: Apache-2.0
"""Without a SuperLink; with one: tests/integration/test_deploy_walk.py."""

import json
import subprocess

import pytest

from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.registration import (
    Registered,
    RegistrationError,
    _answer,
    node_statuses,
    recorded,
    register,
)


def test_waiting_for_a_superlink_ends(kit):
    with pytest.raises(
        RegistrationError, match=r"no SuperLink answered on 127.0.0.1:\d+ within 0 s; see .*superlink.log"
    ):
        register(load_federation(kit), deadline=0)


@pytest.mark.slow
def test_an_absent_superlink_is_told(kit):
    with pytest.raises(RegistrationError, match="flwr supernode list: "):
        node_statuses(load_federation(kit))


def test_records_are_read_back(kit):
    federation = load_federation(kit)
    assert recorded(federation) == {}
    (kit / "server/state/registered.json").write_text(json.dumps({"north": {"node": "7", "key": "SHA256:x"}}))
    assert recorded(federation) == {"north": Registered("7", "SHA256:x")}


@pytest.mark.parametrize(
    ("code", "out", "message"),
    [
        (1, '{"success": false, "error-message": "no\\n access"}', "^flwr supernode list: no access$"),
        (
            1,
            '{"success": false, "error-message": "Public key already in use"}',
            "takes a key once.*make the silo a new one",
        ),
        (0, '{"success": false, "error-message": "odd"}', "odd"),
        (0, "not json", "not json"),
        (0, "[1]", r"\[1\]"),
    ],
)
def test_a_refusal_is_told(code, out, message):
    done = subprocess.CompletedProcess(["flwr"], code, out, "")
    with pytest.raises(RegistrationError, match=message):
        _answer(done, ["supernode", "list", "kit"])


def test_text_before_the_json_is_passed_over():
    done = subprocess.CompletedProcess(["flwr"], 0, 'done\n{"success": true, "node-id": "5"}\n', "")
    assert _answer(done, ["supernode", "register"])["node-id"] == "5"
