# SPDX-License-Identifier: Apache-2.0
"""Checks on a silo's host."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path

from clients.schema import described
from simulation.deploy.data_set import standing
from simulation.deploy.gpus import find_gpu
from simulation.deploy.health import serving
from simulation.deploy.host_checks import HostError, disk_space, ports_free, private_file, versions_equal
from simulation.deploy.launch import check_ca, check_data
from simulation.deploy.node_keys import NodeKeyError, fingerprint, public_of
from simulation.deploy.node_settings import NODE_FILE, SiloNode
from simulation.deploy.reach import ReachError, ask
from simulation.deploy.verdict import NotRunning, Verdict, judged

MOST_AHEAD, MOST_BEHIND = 5.0, 300.0
"""Seconds that Flower lets a node's clock differ from the server's: each request carries a signed time."""
_WHOLE_SECONDS = 1.0
_TAIL_BYTES = 8192
_ENDED = re.compile(r"ended with exit code ([1-9]\d*)")
_CONNECTED, _REFUSED = "SuperNode ID", "Exit Code: 305"
_REASON = re.compile(r"^(?:error: .*|.*Exit Code: \d+.*)$", re.MULTILINE)


def silo_checks(node: SiloNode, registered: Path | None, *, now: dt.datetime) -> Iterator[Verdict]:
    """Yield the verdicts on one silo: its files, data, device, ports, the way to the server, its SuperNode.

    Args:
        node: The silo's settings.
        registered: The public key that the server has for it, where the server's folder is here too.
        now: This host's time.
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
    data = judged(subject, "data", f"see data, label and policy in {settings}", lambda: _data(node))
    yield data
    if data.state == "ok":
        remedy = f"see ledgers and data-set in {settings}"
        yield judged(subject, "ledger", remedy, lambda: standing(node))
    yield judged(subject, "state", f"see state-dir in {settings}", lambda: _writable(node))
    yield disk_space(subject, node.path(node.state_dir))
    yield judged(subject, "device", f"see device in {settings}", lambda: _device(node))
    up = serving(node.health_address)
    yield judged(
        subject, "ports", f"stop what has it, or other ports in {settings}", lambda: _ports(node, up)
    )
    yield from _server_seen(node)
    yield judged(subject, "supernode", f"./supernode-{node.name}.sh start", lambda: _supernode(node, up))


def same_gpu_twice(nodes: list[SiloNode]) -> Iterator[Verdict]:
    """Yield a fault for each GPU of this host that two SuperNodes would share."""
    for device in sorted({node.device for node in nodes} - {"cpu"}):
        sharing = [node.name for node in nodes if node.device == device]
        if len(sharing) > 1:
            text = f"{device} is also the device of {', '.join(sharing[1:])}: one GPU has one job"
            yield Verdict(
                "FAIL", f"silo {sharing[0]}", "device", text, f"another device in their {NODE_FILE}"
            )


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
    return f"readable, {described(rows)}, {label}"


def _writable(node: SiloNode) -> str:
    folder = node.path(node.state_dir)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise HostError(f"{folder} cannot be written")
    return f"{folder} can be written"


def _device(node: SiloNode) -> str:
    return "cpu" if node.device == "cpu" else f"{node.device}: {find_gpu(node.device)}"


def _ports(node: SiloNode, up: bool) -> str:
    if up:
        return f"{node.ports.runtime}, {node.ports.health} in use by the SuperNode"
    return ports_free([node.ports.runtime, node.ports.health])


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


def _supernode(node: SiloNode, up: bool) -> str:
    if up:
        return f"gRPC health on {node.health_address}: SERVING"
    refused = _last_refusal(node.path(node.state_dir) / "supernode.log") or _last_refusal(
        node.folder / "state/supernode.log"
    )
    if refused:
        raise HostError(f"its last start failed: {refused}")
    raise NotRunning(f"no gRPC health on {node.health_address}")


def _last_refusal(log: Path) -> str | None:
    """Return why the SuperNode ended, if the log says that it did, and not that it has come back since."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    ended = list(_ENDED.finditer(tail))
    if not ended or _CONNECTED in tail[ended[-1].end() :]:
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
