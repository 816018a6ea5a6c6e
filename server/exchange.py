# SPDX-License-Identifier: Apache-2.0
"""One exchange with the silos: push questions, pull answers until all are there or the deadline passes.

The same loop for every engine. Replies are pulled one at a time: Flower unpacks what it pulls together, and
one reply that it cannot unpack would take the others with it.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import httpx
from flwr.app import Error, Message
from flwr.serverapp import Grid

from tailweave.protocols.visible import visible

_SHORTEST_WAIT = 0.0005
_LONGEST_WAIT = 0.2
_LOOK_SECONDS = 0.2
_BACKEND_FAILED = 0
"""Flower's code, in simulation, for a Ray actor that died."""
_CLIENT_ERRORS = range(400, 500)
_LONGEST_NAME = 64
"""Of a node, as Flower has it; a silo's own name has as many."""
NOT_SENT = 5
NOT_READABLE = 3
"""Flower's own codes for a node that cannot be reached, and for a reply that cannot be had."""


def exchange(
    grid: Grid,
    questions: Sequence[Message],
    deadline_seconds: float,
    heard: Callable[[int, float], None] | None = None,
) -> dict[int, list[Message]]:
    """Send questions and collect what comes back in time.

    The pause between two looks doubles from 0.5 ms to 0.2 s while nothing comes, so that it costs nothing
    in process. It is never shorter than the look itself, so that it does not press a SuperLink, nor than nine
    looks up to 0.2 s: to look at a thousand silos takes milliseconds of the processor that they work on. A
    SuperLink that does not answer is asked again until the deadline.

    Args:
        grid: Any Flower grid.
        questions: At most one can be answered by each reply.
        deadline_seconds: From the push on.
        heard: Told each reply's question (its position) and the seconds that it took.

    Returns:
        For each question's position, its replies: none when late, more than one when duplicated, one with
        an error when the question could not be sent or the reply not be read.

    Raises:
        httpx.HTTPStatusError: If the SuperLink refuses to answer this run, as when it has been stopped.
    """
    start = time.monotonic()
    end = start + deadline_seconds
    replies: dict[int, list[Message]] = {position: [] for position in range(len(questions))}
    sent = _push(grid, questions, replies)
    waiting = set(sent)
    pause = _SHORTEST_WAIT
    while waiting:
        begun = time.monotonic()
        arrived = [reply for name in sorted(waiting) for reply in _pull(grid, name, questions[sent[name]])]
        for reply in arrived:
            origin = reply.metadata.reply_to_message_id
            if origin in sent:
                replies[sent[origin]].append(reply)
                if heard is not None:
                    heard(sent[origin], time.monotonic() - start)
                waiting.discard(origin)
        now = time.monotonic()
        if not waiting or now >= end:
            break
        pause, look = _SHORTEST_WAIT if arrived else min(2 * pause, _LONGEST_WAIT), now - begun
        time.sleep(min(max(pause, look, min(9 * look, _LONGEST_WAIT)), max(0.0, end - now)))
    return replies


def _push(grid: Grid, questions: Sequence[Message], replies: dict[int, list[Message]]) -> dict[str, int]:
    """Send; return each question's position by its message's name."""
    names = list(grid.push_messages(questions))
    if len(names) != len(questions):  # Flower sends nothing when all of it together is too large
        names = [""] * len(questions)
    for position, name in enumerate(names):
        if not name:
            error = Error(NOT_SENT, "the question could not be sent")
            replies[position].append(Message(error, reply_to=questions[position]))
    return {name: position for position, name in enumerate(names) if name}


def _pull(grid: Grid, name: str, question: Message) -> list[Message]:
    """Return the replies to one message that are there now."""
    try:
        return list(grid.pull_messages([name]))
    except httpx.HTTPStatusError as error:
        if error.response.status_code in _CLIENT_ERRORS:
            raise
        return []
    except httpx.TransportError:
        return []  # the SuperLink is away: it is asked again until the deadline
    except (RuntimeError, OSError):
        raise  # of this process or its workers, not of the reply
    except Exception as error:  # noqa: BLE001 - whatever unpacking raises is the reply's fault
        unread = Error(NOT_READABLE, f"the reply cannot be unpacked ({type(error).__name__})")
        substitute = Message(unread, reply_to=question)
        return [substitute]


def connected(grid: Grid) -> dict[int, str]:
    """Return the names of the nodes that are connected now, by number; none while the SuperLink is away.

    Raises:
        httpx.HTTPStatusError: If the SuperLink refuses to answer this run.
    """
    try:
        names = {int(node.node_id): visible(str(node.name), _LONGEST_NAME) for node in grid.get_nodes()}
    except httpx.HTTPStatusError as error:
        if error.response.status_code in _CLIENT_ERRORS:
            raise
        return {}
    except httpx.TransportError:
        return {}
    return {number: names[number] for number in sorted(names)}


def wait_for_nodes(
    grid: Grid, enough: Callable[[Mapping[int, str]], bool], deadline_seconds: float
) -> dict[int, str]:
    """Look who is connected until they are enough, or the deadline has passed.

    Args:
        grid: Any Flower grid.
        enough: Told who is there.
        deadline_seconds: From now on.

    Returns:
        Who is connected in the end; see ``connected``.
    """
    end = time.monotonic() + deadline_seconds
    there = connected(grid)
    while not enough(there) and (left := end - time.monotonic()) > 0:
        time.sleep(min(_LOOK_SECONDS, left))
        there = connected(grid)
    return there


def dead_process(grid: Grid, replies: Mapping[int, Sequence[Message]]) -> str:
    """Say what killed a process of Flower's own simulation; empty if none died.

    It is not replaced, and the silos whose turn it would be are lost: only a new run helps. A real silo may
    send any code, and must not end the run with it.
    """
    errors = [reply.error for arrived in replies.values() for reply in arrived if reply.has_error()]
    died = [error.reason or "no reason given" for error in errors if error.code == _BACKEND_FAILED]
    return visible(died[0].strip().partition("\n")[0]) if died and _simulated(grid) else ""


def _simulated(grid: Grid) -> bool:
    """Say whether the grid is Flower's own simulation; to import its class takes most of a second."""
    from flwr.superlink.grid import InMemoryGrid

    return isinstance(grid, InMemoryGrid)
