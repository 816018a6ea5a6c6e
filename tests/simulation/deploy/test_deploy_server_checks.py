# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import socket

import pytest

from tailweave.simulation.deploy.certificates import make_ca
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.server_checks import server_checks

NOW = dt.datetime.now(dt.UTC)


def verdicts(kit, now=NOW):
    return {(v.subject, v.check): v for v in server_checks(load_federation(kit), now=now)}


def test_before_the_start_files_are_well_and_parts_are_off(kit):
    found = verdicts(kit)
    states = {check: verdict.state for (subject, check), verdict in found.items() if subject == "server"}
    assert states == {
        **dict.fromkeys(("versions", "CA", "certificate", "private key", "disk space", "ports"), "ok"),
        **dict.fromkeys(("superlink", "superexec", "gate"), "off"),
        "control API": "skip",
    }
    assert found["silo north", "registered"].state == "off"


def test_the_gate_is_seen_and_the_control_api_shut(kit, upstream, gate):
    found = verdicts(kit)
    assert found["server", "gate"].state == "ok"
    assert found["server", "control API"].state == "ok"


def test_a_gate_without_its_superlink_is_off(kit, gate):
    assert verdicts(kit)["server", "gate"].state == "off"


def test_an_open_control_api_fails(kit, upstream):
    """The SuperLink itself on the open port: what somebody does who leaves the gate out."""
    path = kit / "federation.yaml"
    link = load_federation(kit).superlink
    text = (
        path.read_text()
        .replace(str(link.control_port), "1")
        .replace(str(link.fleet_port), str(link.control_port))
    )
    path.write_text(text)
    control = verdicts(kit)["server", "control API"]
    assert control.state == "FAIL"
    assert "answers 200 to the Control API" in control.text


@pytest.mark.parametrize(
    ("days", "check", "text"),
    [
        (731, "certificate", "expired on"),
        (3651, "CA", "expired on"),
        (-1, "certificate", "not valid before"),
    ],
)
def test_dates_are_looked_at(kit, days, check, text):
    verdict = verdicts(kit, NOW + dt.timedelta(days=days))["server", check]
    assert verdict.state == "FAIL"
    assert text in verdict.text
    assert verdict.remedy


def test_files_that_do_not_belong_together_fail(kit):
    (kit / "server/ca.crt").write_bytes(make_ca("other", now=NOW).certificate)
    assert "signed by another CA" in verdicts(kit)["server", "certificate"].text
    (kit / "server/ca.crt").write_bytes((kit / "ca/ca.crt").read_bytes())
    (kit / "server/server.key").write_bytes((kit / "ca/ca.key").read_bytes())
    assert "belongs to another certificate" in verdicts(kit)["server", "certificate"].text
    (kit / "server/server.key").chmod(0o644)
    assert "others may read it" in verdicts(kit)["server", "private key"].text
    (kit / "server/server.key").unlink()
    assert verdicts(kit)["server", "certificate"].state == "FAIL"


def test_a_host_that_is_not_in_the_certificate_fails(kit):
    path = kit / "federation.yaml"
    path.write_text(path.read_text().replace('"localhost"', '"flower.example"'))
    verdict = verdicts(kit)["server", "certificate"]
    assert "server.pem is for localhost, 127.0.0.1, not for flower.example" in verdict.text
    assert "renew" in verdict.remedy


def test_a_taken_port_fails(kit):
    port = load_federation(kit).superlink.control_port
    with socket.create_server(("127.0.0.1", port)):
        verdict = verdicts(kit)["server", "ports"]
    assert verdict.state == "FAIL"
    assert f"port {port} cannot be used" in verdict.text
