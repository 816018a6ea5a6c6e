# SPDX-License-Identifier: Apache-2.0
"""Without a SuperLink; with one: tests/integration/test_deploy_walk.py."""

import json
import re

import pytest

from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.registration import (
    Registered,
    RegistrationError,
    _refusal,
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


def test_a_key_that_is_taken_comes_with_what_to_do():
    said = str(_refusal("flwr supernode register: Public key already in use"))
    assert re.search("already in use; .*takes a key once.*make the silo a new one", said)
    assert str(_refusal("flwr supernode register: odd")) == "flwr supernode register: odd"
