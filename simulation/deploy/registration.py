# SPDX-License-Identifier: Apache-2.0
"""Which silos the SuperLink knows: their keys are registered through Flower's own command line."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailweave.protocols.node_keys import fingerprint
from tailweave.protocols.whole_file import write_whole
from tailweave.server.failure import RunFailed
from tailweave.simulation.deploy.federation import Federation, FederationSilo
from tailweave.simulation.deploy.health import serving
from tailweave.simulation.engines.control import CONNECTION, Control, FlowerError

_IN_USE, _GONE = "already in use", "unregistered"
_TAKEN = (
    "; the SuperLink takes a key once, even if unregistered since, and this one was not registered "
    "from this folder: make the silo a new one, ssh-keygen -t ecdsa -b 384 -N '' -f node.key"
)


class RegistrationError(ValueError):
    """A SuperLink that could not be asked, or that refused a key."""


@dataclass(frozen=True)
class Registered:
    """One silo's registration: the node's number at the SuperLink, and its key's fingerprint."""

    node: str
    key: str


def register(federation: Federation, *, deadline: float = 180.0) -> list[str]:
    """Register the keys of all silos; those that are registered stay as they are. One sentence a silo.

    Raises:
        RegistrationError: If the SuperLink does not answer, or, once all the others are registered, for the
            silos whose key is missing, none, or refused.
    """
    _await_superlink(federation, deadline)
    statuses = node_statuses(federation)
    told, refused = [], []
    for silo in federation.silos:
        try:
            told.append(f"silo {silo.name}: {_register(federation, silo, statuses)}")
        except RegistrationError as error:
            refused.append(str(error))
    if refused:
        raise RegistrationError("\n".join([*told, *refused]))
    return told


def recorded(federation: Federation) -> dict[str, Registered]:
    """Return the registrations that were made from this folder, by silo."""
    try:
        raw = json.loads(_record_path(federation).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: Registered(**entry) for name, entry in raw.items()}


def node_statuses(federation: Federation) -> dict[str, str]:
    """Ask the SuperLink for its nodes.

    Returns:
        ``registered`` (never seen), ``online`` or ``offline``, by the node's number; no unregistered ones.

    Raises:
        RegistrationError: If it does not answer.
    """
    nodes = _flower(federation, "supernode", "list", CONNECTION)["nodes"]
    return {str(node["node-id"]): str(node["status"]) for node in nodes if node["status"] != _GONE}


def _register(federation: Federation, silo: FederationSilo, statuses: dict[str, str]) -> str:
    path = federation.public_key(silo)
    key = _fingerprint(path, silo.name)
    known = recorded(federation)
    before = known.get(silo.name)
    here = before is not None and before.node in statuses
    if before is not None and here and before.key == key:
        return "registered"
    try:
        answer = _flower(federation, "supernode", "register", str(path), CONNECTION, "--name", silo.name)
    except RegistrationError as error:
        raise RegistrationError(f"silo {silo.name}: {error}") from None
    _record(federation, {**known, silo.name: Registered(str(answer["node-id"]), key)})
    if before is not None and here:  # only now: the SuperLink never takes a key again
        _flower(federation, "supernode", "unregister", before.node, CONNECTION)
    return f"registered now, node {answer['node-id']}"


def _fingerprint(path: Path, silo: str) -> str:
    try:
        return fingerprint(path.read_bytes())
    except OSError as error:
        raise RegistrationError(
            f"silo {silo}: no public key ({error.strerror}: {path}); the silo sends it"
        ) from None
    except ValueError as error:
        raise RegistrationError(f"silo {silo}: {path}: {error}") from None


def _await_superlink(federation: Federation, deadline: float) -> None:
    end = time.monotonic() + deadline
    while not serving(federation.health_address):
        if time.monotonic() > end:
            log = federation.folder / "server/state/superlink.log"
            raise RegistrationError(
                f"no SuperLink answered on {federation.health_address} within {deadline:g} s; see {log}"
            )
        time.sleep(0.5)


def _record_path(federation: Federation) -> Path:
    return federation.folder / "server/state/registered.json"


def _record(federation: Federation, known: dict[str, Registered]) -> None:
    path = _record_path(federation)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, json.dumps({name: vars(entry) for name, entry in known.items()}, indent=1))


def _flower(federation: Federation, *arguments: str) -> dict[str, Any]:
    """Run ``flwr``; its configuration lasts for this call only, so a moved folder leaves no stale paths."""
    with tempfile.TemporaryDirectory(prefix="tailweave-flwr-") as home:
        control = Control.connect(Path(home), federation.control_address, federation.ca)
        try:
            return control.call(*arguments)
        except (FlowerError, RunFailed) as error:
            raise _refusal(str(error)) from None


def _refusal(said: str) -> RegistrationError:
    return RegistrationError(said + _TAKEN * (_IN_USE in said))
