# SPDX-License-Identifier: Apache-2.0
"""Checks on a silo's host."""

import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tailweave.protocols.node_keys import NodeKeyError, fingerprint, public_of
from tailweave.protocols.privacy.noise import SystemNoise
from tailweave.simulation.deploy.data_set import standing
from tailweave.simulation.deploy.file_modes import check_unchangeable
from tailweave.simulation.deploy.gpus import find_gpu
from tailweave.simulation.deploy.health import serving
from tailweave.simulation.deploy.host_checks import (
    HostError,
    disk_space,
    ports_free,
    private_file,
    versions_equal,
)
from tailweave.simulation.deploy.launch import check_ca, check_data
from tailweave.simulation.deploy.node_settings import ALLOTTED, NODE_FILE, SiloNode
from tailweave.simulation.deploy.reach import ReachError, ask
from tailweave.simulation.deploy.verdict import NotRunning, Verdict, judged
from tailweave.simulation.deploy.versions import check_flower

MOST_AHEAD, MOST_BEHIND = 5.0, 300.0
"""Seconds that Flower lets a node's clock differ from the server's: each request carries a signed time."""
_WHOLE_SECONDS = 1.0
_CODE_REMEDY = "stop this silo; pip install the federation's tailweave and its flwr anew"
_TAIL_BYTES = 8192
_ENDED = re.compile(r"ended with exit code ([1-9]\d*)")
_CONNECTED, _REFUSED = ("SuperNode ID", "executor: takes the tasks"), "Exit Code: 305"
_REASON = re.compile(r"^(?:error: .*|.*Exit Code: \d+.*)$", re.MULTILINE)


def silo_checks(
    node: SiloNode, registered: Path | None, *, now: dt.datetime, prove: bool = True
) -> Iterator[Verdict]:
    """Yield the verdicts on one silo: its files, code, data, device, ports, the way to the server, its parts.

    ``registered`` is the public key that the server has for it, where the server's folder is here too.
    """
    subject, settings = f"silo {node.name}", node.folder / NODE_FILE
    key = node.path(node.private_key)
    yield versions_equal(subject, node.versions)
    yield judged(subject, "CA", "copy ca.crt of the federation here", lambda: check_ca(node, now))
    yield judged(subject, "private key", f"chmod 600 {key}", lambda: private_file(key))
    yield judged(
        subject,
        "node key",
        f"server/keys/{node.name}.pub must be this key's public part; then server/superlink.sh register",
        lambda: _key(key, registered),
    )
    secret = node.path(node.executor_secret)
    yield judged(subject, "secret", f"chmod 600 {secret}", lambda: private_file(secret))
    if prove:
        yield judged(subject, "code", _CODE_REMEDY, _door)
    else:
        yield Verdict("skip", subject, "code", "no foreign app was sent here (--quick)")
    yield judged(subject, "files", "chown and chmod go-w them", lambda: check_unchangeable(node))
    yield judged(subject, "noise", "pip install tailweave again: opendp draws it", _noise)
    data = judged(subject, "data", f"see data, label and policy in {settings}", lambda: _data(node))
    yield data
    if data.state == "ok":
        remedy = f"see ledgers and data-set in {settings}"
        yield judged(subject, "ledger", remedy, lambda: standing(node))
    yield judged(subject, "state", f"see state-dir in {settings}", lambda: _writable(node))
    yield disk_space(subject, node.path(node.state_dir))
    yield judged(subject, "device", f"see device in {settings}", lambda: _device(node))
    up = {"supernode": serving(node.health_address), "executor": serving(node.executor_health_address)}
    yield judged(
        subject, "ports", f"stop what has it, or other ports in {settings}", lambda: _ports(node, up)
    )
    yield from _server_seen(node)
    start = f"./supernode-{node.name}.sh start"
    yield judged(subject, "supernode", start, lambda: _part(node, "supernode", up["supernode"]))
    yield judged(subject, "executor", start, lambda: _part(node, "executor", up["executor"]))
    if up["supernode"]:
        yield judged(subject, "tasks", f"stop what has the port; {start}", lambda: _locked(node))


def shared_gpus(nodes: list[SiloNode]) -> Iterator[Verdict]:
    """Say of each GPU of this host that several silos share it: they must fit into its memory together."""
    for device in sorted({node.device for node in nodes} - {"cpu", ALLOTTED}):
        sharing = [node.name for node in nodes if node.device == device]
        if len(sharing) > 1:
            others = ", ".join(sharing[1:])
            text = f"{device} is shared with {others}: they wait for each other, all in its memory"
            yield Verdict("ok", f"silo {sharing[0]}", "device", text)


def _key(path: Path, registered: Path | None) -> str:
    try:
        mine = fingerprint(public_of(path.read_bytes()))
    except (OSError, NodeKeyError) as error:
        raise NodeKeyError(f"{path}: {error}") from None
    if registered is not None and (not registered.is_file() or fingerprint(registered.read_bytes()) != mine):
        raise NodeKeyError(f"{mine} is not the key that the server has for this silo")
    return mine


def _data(node: SiloNode) -> str:
    rows = check_data(node)
    classes = "no classes" if rows.labels is None else "classes there"
    label = classes if node.label is None else f"label column {node.label!r} there"
    return f"readable, {rows.sort}, {label}"


def _writable(node: SiloNode) -> str:
    folder = node.path(node.state_dir)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise HostError(f"{folder} cannot be written")
    return f"{folder} can be written"


def _device(node: SiloNode) -> str:
    if node.device == ALLOTTED:
        return f"{ALLOTTED}: {node.visible_devices or 'none here; a job gets its own'}"
    return "cpu" if node.device == "cpu" else f"{node.device}: {find_gpu(node.device)}"


@lru_cache(maxsize=1)
def _door() -> str:
    """Prove it once for all silos of this host: they have one installation."""
    from tailweave.simulation.deploy.door_proof import (
        prove_door,  # starts processes, and loads what a node loads
    )

    check_flower()
    try:
        return prove_door()
    except Exception as error:
        if isinstance(error, ValueError):
            raise
        # another Flower may fail in any way: without a proof the door counts as open
        raise HostError(f"it could not be proved: {type(error).__name__}: {error}") from error


def _noise() -> str:
    SystemNoise().discrete_gaussian(1.0, (1,))
    return "drawn from the operating system"


def _locked(node: SiloNode) -> str:
    from tailweave.simulation.deploy.door_proof import check_locked

    check_locked(node.runtime_address)
    return "handed out to who has the secret only"


def _ports(node: SiloNode, up: Mapping[str, bool]) -> str:
    of_node, of_executor = [node.ports.runtime, node.ports.health], [node.ports.executor]
    free = ([] if up["supernode"] else of_node) + ([] if up["executor"] else of_executor)
    used = [port for port in node.ports.all if port not in free]
    told = [f"{', '.join(map(str, used))} in use by this silo"] if used else []
    return "; ".join([*told, *([ports_free(free)] if free else [])])


def _server_seen(node: SiloNode) -> Iterator[Verdict]:
    subject, link = f"silo {node.name}", node.superlink
    seen: list[float] = []

    def look() -> str:
        answer = ask(link.host, link.fleet_port, node.path(node.ca))
        if answer.ahead is not None:
            seen.append(answer.ahead)
        if answer.status == 503:
            raise NotRunning(f"the gate of {node.superlink_address} runs, the SuperLink behind it does not")
        if answer.status != 200:
            raise ReachError(f"{node.superlink_address} answers {answer.status}: not a federation's gate")
        return f"{node.superlink_address} answers, certificate in order"

    remedy = "start the server, open its fleet-port to this host; an expired certificate: deploy renew"
    yield judged(subject, "server", remedy, look)
    if seen:
        yield judged(subject, "clock", "set this host's clock by NTP", lambda: _clock(seen[0]))
    else:
        yield Verdict("skip", subject, "clock", "compared with the server's once that answers")


def _clock(ahead: float) -> str:
    if ahead > MOST_AHEAD + _WHOLE_SECONDS or ahead < -MOST_BEHIND:
        raise HostError(
            f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's; Flower allows "
            f"{MOST_AHEAD:g} s ahead, {MOST_BEHIND:g} s behind"
        )
    return "agrees with the server's" if abs(ahead) <= 2 * _WHOLE_SECONDS else f"{ahead:+.0f} s, allowed"


def _part(node: SiloNode, part: str, up: bool) -> str:
    address = node.health_address if part == "supernode" else node.executor_health_address
    if up:
        return f"gRPC health on {address}: SERVING"
    logs = (folder / f"{part}.log" for folder in (node.path(node.state_dir), node.folder / "state"))
    refused = next(filter(None, map(_last_refusal, logs)), None)
    if refused:
        raise HostError(f"its last start failed: {refused}")
    raise NotRunning(f"no gRPC health on {address}")


def _last_refusal(log: Path) -> str | None:
    """Return why a part ended, if the log says that it did, and not that it has come back since."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    ended = list(_ENDED.finditer(tail))
    if not ended or any(word in tail[ended[-1].end() :] for word in _CONNECTED):
        return None
    reasons = _REASON.findall(tail[: ended[-1].start()])
    if not reasons:
        return f"exit code {ended[-1][1]}; see {log}"
    if _REFUSED not in reasons[-1]:
        return str(reasons[-1]).strip()
    return (
        "the SuperLink refused it (305): its key is not registered there (on the server: "
        "server/superlink.sh register), or it was killed less than 60 s ago (it tries again)"
    )
