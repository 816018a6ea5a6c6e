# SPDX-License-Identifier: Apache-2.0
"""One exchange with the silos: push questions, pull answers until all are there or the deadline passes."""

import time
from collections.abc import Sequence

from flwr.app import Message
from flwr.serverapp import Grid

_SHORTEST_WAIT = 0.0005
_LONGEST_WAIT = 0.2


def exchange(grid: Grid, questions: Sequence[Message], deadline_seconds: float) -> dict[int, list[Message]]:
    """Send questions and collect what comes back in time.

    The pause between two looks doubles from 0.5 ms to 0.2 s while nothing comes, so that it costs nothing
    in process and does not press a SuperLink.

    Args:
        grid: Any Flower grid.
        questions: At most one can be answered by each reply.
        deadline_seconds: From the push on.

    Returns:
        For each question's position, its replies: none when late, more than one when duplicated.
    """
    end = time.monotonic() + deadline_seconds
    sent = dict(zip(grid.push_messages(questions), range(len(questions)), strict=True))
    replies: dict[int, list[Message]] = {position: [] for position in range(len(questions))}
    waiting = set(sent) - {""}
    pause = _SHORTEST_WAIT
    while waiting:
        arrived = list(grid.pull_messages(sorted(waiting)))
        for reply in arrived:
            origin = reply.metadata.reply_to_message_id
            if origin in sent:
                replies[sent[origin]].append(reply)
                waiting.discard(origin)
        if not waiting or time.monotonic() >= end:
            break
        pause = _SHORTEST_WAIT if arrived else min(2 * pause, _LONGEST_WAIT)
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
    return replies
