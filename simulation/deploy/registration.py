# SPDX-License-Identifier: Apache-2.0
"""Which silos the SuperLink knows: their keys are registered through Flower's own command line."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailweave.protocols.node_keys import fingerprint
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.deploy.federation import Federation, FederationSilo
from tailweave.simulation.deploy.health import serving

_CONNECTION = "kit"
_SECONDS = 60.0
_IN_USE, _GONE = "already in use", "unregistered"


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
    nodes = _flower(federation, ["supernode", "list", _CONNECTION])["nodes"]
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
        answer = _flower(federation, ["supernode", "register", str(path), _CONNECTION, "--name", silo.name])
    except RegistrationError as error:
        raise RegistrationError(f"silo {silo.name}: {error}") from None
    _record(federation, {**known, silo.name: Registered(str(answer["node-id"]), key)})
    if before is not None and here:  # only now: the SuperLink never takes a key again
        _flower(federation, ["supernode", "unregister", before.node, _CONNECTION])
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


def _flower(federation: Federation, arguments: Sequence[str]) -> dict[str, Any]:
    """Run ``flwr``; its configuration lasts for this call only, so a moved folder leaves no stale paths."""
    beside = Path(sys.executable).with_name("flwr")
    program = str(beside) if beside.exists() else shutil.which("flwr")
    if program is None:
        raise RegistrationError("flwr is not installed beside tailweave: pip install flwr")
    with tempfile.TemporaryDirectory(prefix="tailweave-flwr-") as home:
        address, ca = json.dumps(federation.control_address), json.dumps(str(federation.ca))
        connection = f"address = {address}\nroot-certificates = {ca}\n"
        (Path(home) / "config.toml").write_text(f"[superlink.{_CONNECTION}]\n{connection}", encoding="utf-8")
        quiet = {"FLWR_HOME": home, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
        try:
            done = subprocess.run(
                [program, *arguments, "--format", "json"],
                env={**os.environ, **quiet},
                capture_output=True,
                text=True,
                check=False,
                timeout=_SECONDS,
                cwd=home,
            )
        except subprocess.TimeoutExpired:
            raise RegistrationError(
                f"flwr {' '.join(arguments[:2])} gave no answer in {_SECONDS:g} s"
            ) from None
    return _answer(done, arguments)


def _answer(done: "subprocess.CompletedProcess[str]", arguments: Sequence[str]) -> dict[str, Any]:
    begin = done.stdout.find("{")
    try:
        answer: dict[str, Any] = json.loads(done.stdout[begin:])
    except ValueError:
        answer = {}
    if done.returncode == 0 and answer.get("success"):
        return answer
    reason = str(answer.get("error-message") or done.stderr or done.stdout).strip()
    hint = (
        "; the SuperLink takes a key once, even if unregistered since, and this one was not registered "
        "from this folder: make the silo a new one, ssh-keygen -t ecdsa -b 384 -N '' -f node.key"
        if _IN_USE in reason
        else ""
    )
    raise RegistrationError(f"flwr {' '.join(arguments[:2])}: {' '.join(reason.split())}{hint}")
