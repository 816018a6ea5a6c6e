# SPDX-License-Identifier: Apache-2.0
"""``tailweave deploy init``: the whole folder of a federation, made at once or not at all."""

import datetime as dt
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.experiment import Name
from tailweave.protocols.node_keys import make_node_keys
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.deploy.certificates import make_ca, make_server
from tailweave.simulation.deploy.federation import Host, load_federation
from tailweave.simulation.deploy.kubernetes import (
    FILE,
    ROWS,
    KubernetesError,
    check_kubernetes,
    server_manifest,
    silo_manifest,
)
from tailweave.simulation.deploy.node_settings import Device, load_node
from tailweave.simulation.deploy.slurm import SlurmError, check_slurm, server_job, silo_job
from tailweave.simulation.deploy.units import UnitError, server_units, silo_units
from tailweave.simulation.deploy.versions import installed

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # not HTML; names and hosts have strict patterns
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_HOST: TypeAdapter[str] = TypeAdapter(Host)
_DEVICE: TypeAdapter[str] = TypeAdapter(Device)
_FIRST_NODE_PORT = 10
"""Ports of nodes begin this far above the first port."""
_PORTS_A_NODE = 3
_SECRET_BYTES = 32
_MOST_SILOS = 1000


class KitError(ValueError):
    """A kit that cannot be made as asked."""


@dataclass(frozen=True)
class Plan:
    """What ``init`` was asked for.

    Attributes:
        silos: Names, one SuperNode each.
        host: DNS name or IPv4 address by which silos reach the server.
        also: Further names for the server's certificate.
        port: First of the ports: gate, SuperLink, health; nodes' from ``port + 10``.
        gpus: GPUs of one host that the silos share out, one each; None leaves ``device``.
        device: Device of every silo.
        supervisors: ``slurm`` and ``kubernetes``, for which files are made too.
    """

    silos: tuple[str, ...]
    host: str = "localhost"
    also: tuple[str, ...] = ()
    port: int = 9440
    gpus: int | None = None
    device: str = "cpu"
    supervisors: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PlannedSilo:
    """One silo's part of the plan."""

    name: str
    device: str
    runtime: int
    health: int
    executor: int


def init(directory: Path, plan: Plan, *, now: dt.datetime) -> None:
    """Make the kit in a folder that does not exist, or is empty.

    Raises:
        KitError: If the folder is in use or the plan is impossible; nothing is left behind then.
    """
    silos = _planned(plan)
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise KitError(f"{directory}: exists already; nothing is ever overwritten: choose another folder")
    try:
        _check_supervisors(directory, plan, silos)
    except (UnitError, SlurmError, KubernetesError) as error:
        raise KitError(str(error)) from None
    directory.parent.mkdir(parents=True, exist_ok=True)
    part = directory.with_name(f".{directory.name}.{os.getpid()}.part")
    part.mkdir(mode=0o700)
    try:
        _write_authority(part, plan, now)
        _write_scripts(part, directory, plan, silos)
        for silo in silos:
            _write_silo(part, directory, plan, silo)
        load_federation(part)  # what init writes, the other commands can read
        for silo in silos:
            load_node(part / "silos" / silo.name)
        os.rename(part, directory)
    except BaseException:
        shutil.rmtree(part)
        raise


def renew(directory: Path, *, now: dt.datetime) -> Path:
    """Make a new server certificate for the same names, in place of the old one; return its path.

    Raises:
        KitError: If the CA's key is not here.
        ConfigError: If ``federation.yaml`` cannot be read.
        CertificateError: If the CA cannot be used.
    """
    from tailweave.simulation.deploy.certificates import Issued, hosts_of, read_certificate

    federation = load_federation(directory)
    ca, server = directory / "ca", directory / "server"
    try:
        authority = Issued((ca / "ca.crt").read_bytes(), (ca / "ca.key").read_bytes())
        old = hosts_of(read_certificate((server / "server.pem").read_bytes()))
    except OSError as error:
        raise KitError(
            f"{error.filename}: {error.strerror}; renew where both ca/ and server/ are, then copy server/"
        ) from None
    issued = make_server(authority, [federation.superlink.host, *old], now=now)
    replacements = (
        (server / "server.key", issued.key, 0o600),
        (server / "server.pem", issued.certificate, 0o644),
    )
    for path, content, mode in replacements:
        write_whole(path, content, mode=mode)
    return server / "server.pem"


def _planned(plan: Plan) -> list[PlannedSilo]:
    for value, kind, what in (
        *((name, _NAME, "--silo") for name in plan.silos),
        *((host, _HOST, "--host and --also") for host in (plan.host, *plan.also)),
        (plan.device, _DEVICE, "--device"),
    ):
        _fits(value, kind, what)
    if not 1 <= len(set(plan.silos)) == len(plan.silos) <= _MOST_SILOS:
        raise KitError(
            f"--silo: names must differ, 1 to {_MOST_SILOS} of them, got {', '.join(plan.silos) or 'none'}"
        )
    last = plan.port + _FIRST_NODE_PORT + _PORTS_A_NODE * len(plan.silos)
    if plan.port < 1024 or last > 65535:
        raise KitError(
            f"--port must be at least 1024 and leave room for {last - plan.port} ports, got {plan.port}"
        )
    if plan.gpus is not None and plan.gpus < len(plan.silos):
        raise KitError(
            f"--gpus {plan.gpus}: {len(plan.silos)} silos on one host need a GPU each; "
            "a silo on a host of its own has --device cuda:0"
        )
    if plan.gpus is not None and plan.device != "cpu":
        raise KitError("--gpus and --device say the same thing twice: give one of them")
    return [
        PlannedSilo(name, plan.device if plan.gpus is None else f"cuda:{i}", first, first + 1, first + 2)
        for i, name in enumerate(plan.silos)
        for first in (plan.port + _FIRST_NODE_PORT + _PORTS_A_NODE * i,)
    ]


def _fits(value: str, kind: TypeAdapter[str], what: str) -> None:
    try:
        kind.validate_python(value)
    except ValidationError as error:
        raise KitError(f"{what}: {error.errors()[0]['msg']}, got {value!r}") from None


def _write_authority(part: Path, plan: Plan, now: dt.datetime) -> None:
    ca = make_ca(f"tailweave federation {plan.host}"[:64], now=now)
    server = make_server(ca, [plan.host, *plan.also], now=now)
    _write(part / "ca/ca.key", ca.key, 0o600)
    _write(part / "ca/ca.crt", ca.certificate, 0o644)
    _write(part / "server/ca.crt", ca.certificate, 0o644)
    _write(part / "server/server.key", server.key, 0o600)
    _write(part / "server/server.pem", server.certificate, 0o644)
    for name in plan.silos:
        keys = make_node_keys(name)
        _write(part / f"server/keys/{name}.pub", keys.public, 0o644)
        _write(part / f"silos/{name}/node.key", keys.private, 0o600)
        _write(part / f"silos/{name}/ca.crt", ca.certificate, 0o644)
        secret = f"{secrets.token_hex(_SECRET_BYTES)}\n"
        _write(part / f"silos/{name}/executor.secret", secret.encode(), 0o600)


def _write_scripts(part: Path, directory: Path, plan: Plan, silos: Sequence[PlannedSilo]) -> None:
    ports = {name: plan.port + i for i, name in enumerate(("fleet", "control", "health", "executor"))}
    values: dict[str, object] = {
        "host": plan.host,
        "ports": ports,
        "silos": silos,
        "versions": installed(),
        "version": installed().tailweave,
        "flower": "flower-superlink flower-superexec flwr",
        "further": " | register",
    }
    for name in ("federation.yaml", "README.md", "compose.yaml"):
        _write(part / name, _rendered(name, values), 0o644)
    for name in ("start.sh", "stop.sh"):
        _write(part / name, _rendered(name, values), 0o755)
    _write(part / "server/superlink.sh", _rendered("superlink.sh", values), 0o755)
    _write_units(part / "server", server_units(directory / "server/superlink.sh"))
    if "slurm" in plan.supervisors:
        file, job = server_job(directory / "server", plan.host)
        _write(part / "server" / file, _rendered("slurm.sbatch", job), 0o755)
    if "kubernetes" in plan.supervisors:
        values |= {"image": f"tailweave:{installed().tailweave}"}
        values |= server_manifest(part, plan.silos, ports)
        _write(part / "server" / FILE, _rendered("kubernetes-server.yaml", values), 0o600)


def _write_silo(part: Path, directory: Path, plan: Plan, silo: PlannedSilo) -> None:
    folder = part / "silos" / silo.name
    script = f"supernode-{silo.name}.sh"
    values: dict[str, object] = {
        "silo": silo,
        "name": silo.name,
        "host": plan.host,
        "fleet_port": plan.port,
        "versions": installed(),
        "flower": "flower-supernode",
        "further": "",
        "data": "data.csv",
    }
    for name in ("node.yaml", "policy.yaml"):
        _write(folder / name, _rendered(name, values), 0o444)  # the owner's own act, and nobody's mistake
    _write(folder / script, _rendered("supernode.sh", values), 0o755)
    _write_units(folder, silo_units(directory / "silos" / silo.name / script, silo.name))
    if "slurm" in plan.supervisors:
        file, job = silo_job(directory / "silos" / silo.name, silo.name, silo.device)
        _write(folder / file, _rendered("slurm.sbatch", job), 0o755)
    if "kubernetes" in plan.supervisors:
        node = _rendered("node.yaml", values | {"data": ROWS}).decode()
        values |= {"image": f"tailweave:{installed().tailweave}"}
        values |= silo_manifest(folder, silo.name, node, (silo.health, silo.executor))
        _write(folder / FILE, _rendered("kubernetes-silo.yaml", values), 0o600)


def _write_units(folder: Path, units: Mapping[str, Mapping[str, object]]) -> None:
    for name, values in units.items():
        _write(folder / name, _rendered("unit.service", values), 0o644)
    (folder / "state").mkdir(mode=0o700)  # the one folder that units and containers may write to


def _check_supervisors(directory: Path, plan: Plan, silos: Sequence[PlannedSilo]) -> None:
    """Refuse what a unit, a job or a pod cannot be made of, before anything is written."""
    devices = {silo.device for silo in silos}
    for silo in silos:
        silo_units(directory / "silos" / silo.name / "supernode.sh", silo.name)
    if "slurm" in plan.supervisors:
        check_slurm(plan.host, devices)
        server_job(directory / "server", plan.host)
    if "kubernetes" in plan.supervisors:
        check_kubernetes(plan.host, plan.silos, devices)


def _rendered(name: str, values: Mapping[str, object]) -> bytes:
    return _TEMPLATES.get_template(f"{name}.j2").render(values).encode()


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a new file; its mode is set before its content is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
