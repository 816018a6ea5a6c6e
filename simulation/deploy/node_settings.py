# SPDX-License-Identifier: Apache-2.0
"""What a silo's owner sets on the silo's own host: ``node.yaml``, beside the SuperNode's key."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from tailweave.clients.release.places import default_ledgers
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.spec_file import read_spec
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.hashed_text import TextColumns
from tailweave.protocols.kinds.sources.image_folder import Resize
from tailweave.simulation.deploy.federation import Host, Port
from tailweave.simulation.deploy.versions import VersionsSpec

NODE_FILE = "node.yaml"
ALLOTTED = "allotted"
Device = Annotated[str, Field(pattern=r"^(cpu|allotted|cuda:[0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z/-]{1,80})$")]
"""``cpu``, a GPU's number, its name as ``nvidia-smi -L`` gives it, or ``allotted``: what a batch system
gives the job, by CUDA_VISIBLE_DEVICES."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
DataSet = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]
_DATA = ("image", "resize", "labels", "text", "text-columns", "text-column", "columns")
_OWN = (
    "data",
    "label",
    "name",
    "state-dir",
    "policy",
    "identity-key",
    "base",
    "ledgers",
    "data-set",
    "partition-id",
    "log-format",
    *_DATA,
)
"""Keys of Flower's node-config that have a place of their own here, or none."""


class NodeSuperLink(Spec):
    """Where the SuperNode finds the server: the gate's address."""

    host: Host
    fleet_port: Port


class NodePorts(Spec):
    """Three free ports on the silo's own loopback: the SuperNode's tasks, its health, the executor's."""

    runtime: Port
    health: Port
    executor: Port

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        given = (self.runtime, self.health, self.executor)
        if len(set(given)) < len(given):
            raise ValueError(
                f"ports: runtime, health and executor must differ, got {', '.join(map(str, given))}"
            )
        return self

    @property
    def all(self) -> tuple[int, int, int]:
        """All three."""
        return self.runtime, self.health, self.executor


class SiloNode(Spec):
    """One ``node.yaml``; relative paths are taken from its folder.

    ``ledgers`` is this host's folder of ledgers, the same for all its kits; ``data-set`` is the folder in it
    that the owner chooses where rows are known under several. ``more`` is handed to the node as it stands; it
    is for settings that the kit does not know.
    """

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: Name
    data: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(min_length=1)] | None = None
    image: ImageShape | None = None
    resize: Resize | None = None
    labels: Annotated[str, Field(min_length=1)] | None = None
    text: bool = False
    text_columns: TextColumns | None = None
    text_column: Annotated[str, Field(min_length=1)] | None = None
    columns: Annotated[str, Field(min_length=1)] | None = None
    state_dir: Annotated[str, Field(min_length=1)] = "state"
    policy: Annotated[str, Field(min_length=1)] | None = None
    identity_key: Annotated[str, Field(min_length=1)] | None = None
    base: Annotated[str, Field(min_length=1)] | None = None
    ledgers: Annotated[str, Field(min_length=1)] | None = None
    data_set: DataSet | None = None
    device: Device = "cpu"
    log_format: Literal["plain", "json"] | None = None
    superlink: NodeSuperLink
    ca: Annotated[str, Field(min_length=1)] = "ca.crt"
    private_key: Annotated[str, Field(min_length=1)] = "node.key"
    executor_secret: Annotated[str, Field(min_length=1)] = "executor.secret"
    ports: NodePorts
    versions: VersionsSpec | None = None
    more: dict[str, str | int | float | bool] = {}
    _folder: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="after")
    def _more_is_new(self) -> Self:
        taken = sorted(set(self.more) & set(_OWN))
        if taken:
            raise ValueError(f"more: {', '.join(taken)} must not stand here")
        return self

    @property
    def folder(self) -> Path:
        """Absolute path of the silo's folder."""
        return self._folder

    @property
    def superlink_address(self) -> str:
        """``host:port`` of the gate."""
        return f"{self.superlink.host}:{self.superlink.fleet_port}"

    @property
    def health_address(self) -> str:
        """``host:port`` of the SuperNode's gRPC health service, on its own host."""
        return f"127.0.0.1:{self.ports.health}"

    @property
    def runtime_address(self) -> str:
        """``host:port`` where the SuperNode hands its tasks to the executor, on its own host."""
        return f"127.0.0.1:{self.ports.runtime}"

    @property
    def executor_health_address(self) -> str:
        """``host:port`` of the executor's gRPC health service, on its own host."""
        return f"127.0.0.1:{self.ports.executor}"

    @property
    def visible_devices(self) -> str:
        """Value of CUDA_VISIBLE_DEVICES: one GPU or none."""
        if self.device == ALLOTTED:
            return os.environ.get(VISIBLE, "")
        return "" if self.device == "cpu" else self.device.removeprefix("cuda:")

    def path(self, name: str) -> Path:
        """Return a path of the file as an absolute one; ``~`` is the home folder."""
        return Path(os.path.abspath(self.folder / Path(name).expanduser()))

    def node_config(self) -> dict[str, str | int | float | bool]:
        """Return Flower's node-config: what ``clients/node.py`` reads."""
        given: dict[str, str | int | None] = {
            "label": self.label,
            "data-set": self.data_set,
            "log-format": self.log_format,
            "image": ",".join(map(str, self.image)) if self.image else None,  # scalars only
            "resize": self.resize,
            "text": self.text or None,  # left out where it says nothing
            "text-columns": self.text_columns,
            "text-column": self.text_column,
        }
        paths = {
            "policy": self.policy,
            "identity-key": self.identity_key,
            "base": self.base,
            "labels": self.labels,
            "columns": self.columns,
        }
        return {
            **self.more,
            "name": self.name,
            "data": str(self.path(self.data)),
            "state-dir": str(self.path(self.state_dir)),
            "ledgers": str(self.path(self.ledgers) if self.ledgers else default_ledgers()),
            **{key: value for key, value in given.items() if value is not None},
            **{key: str(self.path(value)) for key, value in paths.items() if value is not None},
        }


def load_node(folder: Path) -> SiloNode:
    """Read ``node.yaml`` of a silo's folder; no file it names need exist.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    remedy = "a silo's folder is made by: tailweave deploy init DIR --silo NAME"
    node = read_spec(folder / NODE_FILE, SiloNode, remedy)
    node._folder = folder.resolve()  # no key of the file, so no field
    return node
