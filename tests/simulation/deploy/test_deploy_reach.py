# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import socket

import pytest

from tailweave.simulation.deploy.certificates import Issued, make_ca, make_server
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.reach import Answer, ReachError, _ahead, ask, check_free, listens
from tailweave.simulation.deploy.verdict import NotRunning


def test_a_server_answers_with_its_clock(upstream, gate):
    answer = ask("localhost", gate.superlink.fleet_port, gate.ca)
    assert answer.status == 200
    assert -2 < answer.ahead < 60
    assert ask("127.0.0.1", gate.superlink.fleet_port, gate.ca, ("POST", "/v1/control/x")).status == 404


def test_clocks_are_compared():
    late = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=100)
    assert _ahead(late.strftime("%a, %d %b %Y %H:%M:%S GMT")) == pytest.approx(100, abs=30)
    assert _ahead(None) is None
    assert _ahead("yesterday") is None
    assert Answer(200, None).ahead is None


def test_nothing_there_is_not_a_fault(kit):
    federation = load_federation(kit)
    with pytest.raises(NotRunning, match="nothing listens on 127.0.0.1"):
        ask("127.0.0.1", federation.superlink.fleet_port, federation.ca)
    assert not listens("127.0.0.1", federation.superlink.fleet_port)


def test_another_ca_is_refused(gate, tmp_path):
    other = tmp_path / "other.crt"
    other.write_bytes(make_ca("other", now=dt.datetime.now(dt.UTC)).certificate)
    with pytest.raises(
        ReachError, match="the certificate of localhost:.* is refused: .*(self|issuer|verify)"
    ):
        ask("localhost", gate.superlink.fleet_port, other)
    other.write_bytes(b"x")
    with pytest.raises(ReachError, match="not a CA certificate"):
        ask("localhost", gate.superlink.fleet_port, other)


@pytest.fixture
def expired(kit):
    ca = Issued((kit / "ca/ca.crt").read_bytes(), (kit / "ca/ca.key").read_bytes())
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    issued = make_server(ca, ["localhost"], now=past, days=10)
    (kit / "server/server.pem").write_bytes(issued.certificate)
    (kit / "server/server.key").write_bytes(issued.key)


def test_an_expired_certificate_is_refused(kit, expired, gate):
    with pytest.raises(
        ReachError, match="the certificate of localhost:.* is refused: certificate has expired"
    ):
        ask("localhost", gate.superlink.fleet_port, gate.ca)


def test_what_does_not_speak_https_is_refused(kit):
    federation = load_federation(kit)
    with socket.create_server(("127.0.0.1", federation.superlink.fleet_port)) as server:
        server.settimeout(30)

        def slam():
            connection, _ = server.accept()
            connection.close()

        import threading

        thread = threading.Thread(target=slam)
        thread.start()
        with pytest.raises(ReachError, match="does not answer as HTTPS"):
            ask("127.0.0.1", federation.superlink.fleet_port, federation.ca)
        thread.join()


def test_ports_are_free_or_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listens("127.0.0.1", port)
        with pytest.raises(ReachError, match=f"port {port} cannot be used: Address already in use"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


def test_unknown_names_are_told(kit):
    with pytest.raises(ReachError, match=r"the name no-such-host.invalid is unknown here"):
        ask("no-such-host.invalid", 1, load_federation(kit).ca)
