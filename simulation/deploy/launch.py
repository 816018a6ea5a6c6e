# SPDX-License-Identifier: Apache-2.0
"""What the start scripts ask for: addresses and settings as shell assignments."""

import datetime as dt
import json
import shlex
from pathlib import Path

from tailweave.clients.node import open_node
from tailweave.clients.samples import Samples
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.deploy.certificates import CertificateError, check_dates, read_certificate
from tailweave.simulation.deploy.data_set import enrolled
from tailweave.simulation.deploy.federation import FEDERATION_FILE, load_federation
from tailweave.simulation.deploy.host_checks import HostError, private_file
from tailweave.simulation.deploy.node_settings import ALLOTTED, NODE_FILE, VISIBLE, SiloNode, load_node


class LaunchError(ValueError):
    """A server or node that cannot start as it is set; the message names the silo and the remedy."""


def settings(folder: Path) -> str:
    """Return the settings of the server or of one silo, ``NAME=value`` a line, quoted for a shell.

    Of a silo's folder the node-config is written to its state folder.

    Raises:
        LaunchError: If the folder is neither, or a silo's certificate, device, data, label, policy or
            executor secret is unusable.
        DataSetError: If the ledger of its rows is, or the owner has to choose one.
        ConfigError: If its YAML is wrong.
    """
    if (folder / NODE_FILE).is_file():
        node = load_node(folder)
        check_ca(node, dt.datetime.now(dt.UTC))
        _check_device(node)
        check_data(node)
        _check_secret(node)
        enrolled(node)
        values = {
            "CUDA_VISIBLE_DEVICES": node.visible_devices,
            "SUPERLINK": node.superlink_address,
            "CA": str(node.path(node.ca)),
            "PRIVATE_KEY": str(node.path(node.private_key)),
            "EXECUTOR_SECRET": str(node.path(node.executor_secret)),
            "RUNTIME": str(node.ports.runtime),
            "HEALTH_PORT": str(node.ports.health),
            "NODE_CONFIG": str(_write_node_config(node)),
        }
    elif (folder / FEDERATION_FILE).is_file():
        federation = load_federation(folder)
        values = {
            "CONTROL_PORT": str(federation.superlink.control_port),
            "HEALTH_PORT": str(federation.superlink.health_port),
            "EXECUTOR_HEALTH": federation.executor_health_address or "",
        }
    else:
        raise LaunchError(
            f"{folder}: neither a federation's folder ({FEDERATION_FILE}) nor a silo's ({NODE_FILE})"
        )
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())


def check_ca(node: SiloNode, now: dt.datetime) -> str:
    """Say until when the certificate that the SuperNode trusts is valid.

    Raises:
        LaunchError: If it is missing, none, or outside its dates.
    """
    path = node.path(node.ca)
    try:
        return check_dates(read_certificate(path.read_bytes()), now)
    except OSError as error:
        raise LaunchError(
            f"silo {node.name}: {path}: {error.strerror}; remedy: copy it from the server"
        ) from None
    except CertificateError as error:
        raise LaunchError(
            f"silo {node.name}: {path}: {error}; remedy: this host's clock, or a new ca.crt from the server"
        ) from None


def check_data(node: SiloNode) -> Samples:
    """Open the silo as its ClientApp will; return its training rows.

    Raises:
        LaunchError: If data, label column or policy cannot be used.
    """
    try:
        opened = open_node(node.node_config(), {}, seed=0)
    except (ValueError, OSError) as error:
        raise LaunchError(
            f"silo {node.name}: {error}; remedy: set data, label and policy in {node.folder / NODE_FILE}"
        ) from None
    return opened.silo.train


def _check_device(node: SiloNode) -> None:
    """Look whether there is a GPU where a batch system was to give one: no silo falls back to the CPU."""
    if node.device == ALLOTTED and not node.visible_devices:
        raise LaunchError(
            f"silo {node.name}: device: {ALLOTTED}, but {VISIBLE} names no GPU; remedy: a job that asks for "
            f"one (#SBATCH --gpus=1), or another device in {node.folder / NODE_FILE}"
        )


def _check_secret(node: SiloNode) -> None:
    """Look at the secret of SuperNode and executor: without it any user of the host could take its tasks."""
    path = node.path(node.executor_secret)
    try:
        private_file(path)
    except HostError as error:
        raise LaunchError(
            f"silo {node.name}: {error}; remedy: chmod 600 {path}, or a new one: "
            f"umask 077; openssl rand -hex 32 > {path}"
        ) from None


def _write_node_config(node: SiloNode) -> Path:
    """Write Flower's node-config as TOML: on a command line no quote or space in a path would be safe."""
    state = node.path(node.state_dir)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / "node-config.toml"
    lines = [f"{key} = {_toml(value)}\n" for key, value in node.node_config().items()]
    write_whole(path, "".join(lines))  # both parts may start at once
    return path


def _toml(value: str | int | float | bool) -> str:
    # JSON's strings, booleans and numbers are TOML's too, but for the character DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
