# SPDX-License-Identifier: Apache-2.0
"""What makes a federation: where its SuperLink is, its CA, and the silos with their public keys."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.spec_file import read_spec
from tailweave.server.gate.site import Site
from tailweave.simulation.deploy.versions import VersionsSpec

FEDERATION_FILE = "federation.yaml"
Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
"""A DNS name or an IPv4 address."""
RelativePath = Annotated[str, Field(pattern=r"^[^/].*$")]
"""Below the federation's folder."""
_LOOPBACK = "127.0.0.1"


class SuperLinkSpec(Spec):
    """Addresses of the server; only ``host``:``fleet-port`` need be open to the silos.

    All others are on the server's loopback only: ``control-port`` (Flower's Control, Fleet and Runtime API,
    which has no login) and the gRPC health of SuperLink and SuperExec. The gate on ``fleet-port`` lets
    nothing but the Fleet API through.
    """

    host: Host
    fleet_port: Port
    control_port: Port
    health_port: Port
    executor_health_port: Port | None = None

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = (self.fleet_port, self.control_port, self.health_port, self.executor_health_port)
        if len(set(ports)) < len(ports):
            raise ValueError("fleet-port, control-port, health-port and executor-health-port must differ")
        return self


class CertificatesSpec(Spec):
    """Path of the CA's certificate, relative to the federation's folder."""

    ca: RelativePath


class FederationSilo(Spec):
    """One silo: its name, under which Flower lists its SuperNode, and its public key's path."""

    name: Name
    public_key: RelativePath


class Federation(Spec):
    """One ``federation.yaml``; ``folder`` is where it lies."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    superlink: SuperLinkSpec
    certificates: CertificatesSpec
    silos: Annotated[tuple[FederationSilo, ...], Field(min_length=1)]
    versions: VersionsSpec | None = None
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _silos_differ(self) -> Self:
        for values, what in (
            ([silo.name for silo in self.silos], "names"),
            ([silo.public_key for silo in self.silos], "public keys"),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"silos: {what} must differ, found twice: {', '.join(twice)}")
        return self

    @property
    def folder(self) -> Path:
        """Absolute path of the folder it was read from."""
        return self._folder

    @property
    def listening_host(self) -> str:
        """Where the gate listens: on loopback if that is the federation's host, else on all interfaces."""
        host = self.superlink.host
        return _LOOPBACK if host == "localhost" or host.startswith("127.") else "0.0.0.0"

    @property
    def control_address(self) -> str:
        """``host:port`` of the Control API, for commands on the server's own host."""
        return f"{_LOOPBACK}:{self.superlink.control_port}"

    @property
    def fleet_address(self) -> str:
        """``host:port`` that SuperNodes connect to."""
        return f"{self.superlink.host}:{self.superlink.fleet_port}"

    @property
    def health_address(self) -> str:
        """``host:port`` of the SuperLink's gRPC health service, on the server's own host."""
        return f"{_LOOPBACK}:{self.superlink.health_port}"

    @property
    def executor_health_address(self) -> str | None:
        """``host:port`` of the SuperExec's gRPC health service, on the server's own host, if it has one."""
        port = self.superlink.executor_health_port
        return None if port is None else f"{_LOOPBACK}:{port}"

    @property
    def ca(self) -> Path:
        """Absolute path of the CA's certificate."""
        return self.folder / self.certificates.ca

    @property
    def silo_names(self) -> tuple[str, ...]:
        """Names of all silos, in the order of the file."""
        return tuple(silo.name for silo in self.silos)

    def public_key(self, silo: FederationSilo) -> Path:
        """Return the absolute path of a silo's public key."""
        return self.folder / silo.public_key


def load_federation(directory: Path) -> Federation:
    """Read ``federation.yaml`` of a folder that ``tailweave deploy init`` made; no file it names need exist.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    path = directory / FEDERATION_FILE
    remedy = "a federation's folder is made by: tailweave deploy init DIR --silo NAME"
    federation = read_spec(path, Federation, remedy)
    federation._folder = directory.resolve()  # no key of the file, so no field
    return federation


def gate_site(directory: Path) -> Site:
    """Return where the gate of the federation in this folder stands.

    Raises:
        ConfigError: As of ``load_federation``.
    """
    federation = load_federation(directory)
    link, server = federation.superlink, federation.folder / "server"
    return Site(
        host=federation.listening_host,
        port=link.fleet_port,
        superlink=(_LOOPBACK, link.control_port),
        ca=federation.ca,
        certificate=server / "server.pem",
        private_key=server / "server.key",
        silos={silo.name: federation.public_key(silo) for silo in federation.silos},
        file=federation.folder / FEDERATION_FILE,
        again=partial(gate_site, federation.folder),
    )
