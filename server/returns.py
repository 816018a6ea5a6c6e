# SPDX-License-Identifier: Apache-2.0
"""An exchange in which a silo that was lost on the way is asked again once it is back.

A SuperNode that is killed comes back under its old number: its supervisor starts it again. A repeated
question makes it do nothing twice: silos answer from their checkpoints and kept releases.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flwr.app import Message
from flwr.serverapp import Grid
from flwr.superlink.grid import InMemoryGrid

from protocols.config.experiment import FederationSpec
from server.exchange import exchange
from server.flower_errors import reason

LOST = frozenset({3, 4, 5, 8})
"""Flower's codes for a lost message, a lost reply, a node that is away, a dead ClientApp."""
_BACKEND_FAILED = 0
"""Flower's code, in simulation, for a Ray actor that died; it is not replaced, and asked again and again."""
_MOST_TIMES = 3
_LOOK_SECONDS = 0.2


class ActorDiedError(RuntimeError):
    """A simulation that has lost a process, and with it the silos whose turn it would be."""


@dataclass
class Away:
    """Who was waited for in vain; nobody waits for them again.

    Attributes:
        nodes: Numbers of nodes that went and did not come back in time; they are asked like all others.
        unconnected: How many silos never came.
    """

    nodes: set[int] = field(default_factory=set)
    unconnected: int = 0


def exchange_with_returns(
    grid: Grid,
    nodes: Sequence[int],
    make: Callable[[int], Message],
    limits: FederationSpec,
    away: Away,
) -> dict[int, list[Message]]:
    """Exchange, and ask those again that were lost and come back, three times at most.

    Args:
        grid: Any Flower grid.
        nodes: Number of the node that each question goes to.
        make: Makes the question of a position; a new message each time, as Flower takes none twice.
        limits: The deadline, for all of it, and how long a silo that is away is waited for.
        away: Who is not waited for; who does not come back in time is added.

    Returns:
        For each position, its replies; see ``exchange``.

    Raises:
        ActorDiedError: If a process of Flower's simulation died; only a new run helps.
    """
    end = time.monotonic() + limits.deadline_seconds
    replies = exchange(grid, [make(position) for position in range(len(nodes))], limits.deadline_seconds)
    _check_actors(grid, replies)
    for _ in range(_MOST_TIMES):
        lost = [p for p in replies if _is_lost(replies[p]) and nodes[p] not in away.nodes]
        wanted = {nodes[position] for position in lost}
        back = _wait_for(grid, wanted, min(end, time.monotonic() + limits.return_seconds))
        away.nodes |= wanted - back
        again = [position for position in lost if nodes[position] in back]
        if not again:
            break
        found = exchange(grid, [make(position) for position in again], max(0.0, end - time.monotonic()))
        replies |= {again[number]: arrived for number, arrived in found.items()}
    away.nodes -= {nodes[p] for p, arrived in replies.items() if any(not r.has_error() for r in arrived)}
    return replies


def _check_actors(grid: Grid, replies: Mapping[int, Sequence[Message]]) -> None:
    if not isinstance(grid, InMemoryGrid):  # a real silo may send any code, and must not end the run with it
        return
    for reply in (reply for arrived in replies.values() for reply in arrived):
        if reply.has_error() and reply.error.code == _BACKEND_FAILED:
            raise ActorDiedError(reason(_BACKEND_FAILED, reply.error.reason or "").partition("\n")[0])


def _is_lost(arrived: Sequence[Message]) -> bool:
    return bool(arrived) and all(reply.has_error() and reply.error.code in LOST for reply in arrived)


def _wait_for(grid: Grid, wanted: set[int], end: float) -> set[int]:
    """Wait until the wanted nodes are all connected, at most until ``end``; return those that are."""
    if not wanted:
        return set()
    back = wanted & {int(node.node_id) for node in grid.get_nodes()}
    while back != wanted and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        back = wanted & {int(node.node_id) for node in grid.get_nodes()}
    return back
