# SPDX-License-Identifier: Apache-2.0
"""Checks on the server's host."""

import datetime as dt
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cryptography.x509 import Certificate

from tailweave.protocols.node_keys import fingerprint
from tailweave.simulation.deploy.certificates import (
    CertificateError,
    check_dates,
    check_key,
    check_signed_by,
    hosts_of,
    read_certificate,
)
from tailweave.simulation.deploy.federation import FEDERATION_FILE, Federation, FederationSilo
from tailweave.simulation.deploy.health import serving
from tailweave.simulation.deploy.host_checks import disk_space, ports_free, private_file, versions_equal
from tailweave.simulation.deploy.reach import ask, listens
from tailweave.simulation.deploy.registration import RegistrationError, node_statuses, recorded
from tailweave.simulation.deploy.verdict import NotRunning, Verdict, judged

_SERVER = "server"
_START = "server/superlink.sh start"
_RENEW = "tailweave deploy renew DIR, where ca/ is"
_CONTROL_PATH = "/v1/control/list-nodes"


def server_checks(federation: Federation, *, now: dt.datetime) -> Iterator[Verdict]:
    """Yield the verdicts on the server: files, ports, parts that run, silos that are registered."""
    server = federation.folder / "server"
    yield versions_equal(_SERVER, federation.versions)
    yield judged(
        _SERVER, "CA", "copy ca.crt of this federation here", lambda: check_dates(_read(federation.ca), now)
    )
    yield judged(_SERVER, "certificate", _RENEW, lambda: _certificate(federation, now))
    yield judged(
        _SERVER,
        "private key",
        f"chmod 600 {server / 'server.key'}",
        lambda: private_file(server / "server.key"),
    )
    yield disk_space(_SERVER, server / "state")
    up = serving(federation.health_address)
    yield judged(
        _SERVER,
        "ports",
        f"stop what has it, or another port in {FEDERATION_FILE}",
        lambda: _ports(federation, up),
    )
    yield judged(_SERVER, "superlink", _START, lambda: _healthy(federation.health_address, up))
    if federation.executor_health_address is not None:
        address = federation.executor_health_address
        yield judged(_SERVER, "superexec", _START, lambda: _healthy(address, serving(address)))
    gate = judged(_SERVER, "gate", _START, lambda: _gate(federation))
    yield gate
    if gate.state == "ok":
        shut = "let the SuperLink listen on 127.0.0.1 only, and nothing but /v1/fleet/ through"
        yield judged(_SERVER, "control API", shut, lambda: _control_closed(federation))
    else:
        yield Verdict("skip", _SERVER, "control API", "whether it is shut is seen once the gate runs")
    yield from _registrations(federation, up)


def _read(path: Path) -> Certificate:
    try:
        return read_certificate(path.read_bytes())
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from None
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from None


def _certificate(federation: Federation, now: dt.datetime) -> str:
    server = federation.folder / "server"
    certificate = _read(server / "server.pem")
    valid = check_dates(certificate, now)
    check_signed_by(certificate, _read(federation.ca))
    check_key(certificate, (server / "server.key").read_bytes())
    hosts = hosts_of(certificate)
    if federation.superlink.host not in hosts:
        raise CertificateError(f"server.pem is for {', '.join(hosts)}, not for {federation.superlink.host}")
    return f"{valid} for {', '.join(hosts)}"


def _ports(federation: Federation, up: bool) -> str:
    addresses = federation.superlink
    if up:
        return (
            f"{addresses.fleet_port}, {addresses.control_port}, {addresses.health_port} in use by the server"
        )
    # the gate and the SuperExec may run alone, while the SuperLink is down
    return ports_free([addresses.control_port, addresses.health_port])


def _healthy(address: str, up: bool) -> str:
    if not up:
        raise NotRunning(f"no gRPC health on {address}")
    return f"gRPC health on {address}: SERVING"


def _gate(federation: Federation) -> str:
    port = federation.superlink.fleet_port
    answer = ask("127.0.0.1", port, federation.ca)
    if answer.status == 503:
        raise NotRunning("the gate runs, the SuperLink behind it does not")
    if answer.status != 200:
        raise RegistrationError(f"port {port} answers {answer.status}: another program has it")
    return f"port {port} open, TLS and SuperLink behind it in order"


def _control_closed(federation: Federation) -> str:
    link = federation.superlink
    answer = ask("127.0.0.1", link.fleet_port, federation.ca, ("POST", _CONTROL_PATH))
    if answer.status != 404:
        raise RegistrationError(
            f"port {link.fleet_port} answers {answer.status} to the Control API, must be 404"
        )
    if (
        link.host != "localhost"
        and not link.host.startswith("127.")
        and listens(link.host, link.control_port)
    ):
        raise RegistrationError(f"{link.host}:{link.control_port} can be reached: Flower's own port is open")
    return f"shut on port {link.fleet_port}, on loopback only"


def _registrations(federation: Federation, up: bool) -> Iterator[Verdict]:
    remedy = "server/superlink.sh register"
    if not up:
        for silo in federation.silos:
            yield Verdict("off", f"silo {silo.name}", "registered", "the SuperLink does not run", _START)
        return
    try:
        statuses = node_statuses(federation)
    except RegistrationError as error:
        yield Verdict("FAIL", _SERVER, "registered", str(error), "see server/state/superlink.log")
        return
    for silo in federation.silos:
        yield judged(f"silo {silo.name}", "registered", remedy, partial(_known, federation, silo, statuses))
        yield judged(
            f"silo {silo.name}",
            "online",
            f"on its host: tailweave deploy check . and ./supernode-{silo.name}.sh start",
            partial(_online, federation, silo, statuses),
        )


def _known(federation: Federation, silo: FederationSilo, statuses: dict[str, str]) -> str:
    key = fingerprint(federation.public_key(silo).read_bytes())
    entry = recorded(federation).get(silo.name)
    if entry is None or entry.node not in statuses:
        raise RegistrationError(f"its key {key} is not registered at the SuperLink")
    if entry.key != key:
        raise RegistrationError(f"its key has changed since it was registered, to {key}")
    return f"node {entry.node}, key {key}"


def _online(federation: Federation, silo: FederationSilo, statuses: dict[str, str]) -> str:
    entry = recorded(federation).get(silo.name)
    status = statuses.get(entry.node, "unknown") if entry is not None else "unknown"
    if status != "online":
        raise NotRunning(f"its SuperNode is not online; the SuperLink says: {status}")
    return "its SuperNode is online"
