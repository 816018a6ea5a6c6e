# SPDX-License-Identifier: Apache-2.0
"""Leaving a run on Ctrl-C or SIGTERM, at once: it may be killed at any moment and loses nothing."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console

_BY_SIGNAL = 128
"""Added to the number of a signal, gives the exit code: 130 after Ctrl-C."""
_LEAVE_SECONDS = 5.0


@contextmanager
def leaving_on_interrupt(console: Console) -> Iterator[None]:
    """Leave the process on either signal, having said on ``console`` how to go on.

    Raises:
        SystemExit: Within the block, with the signal as exit code.

    A ``KeyboardInterrupt`` gives exit code -2 where it lands in an ``exec`` (as in the making of a
    dataclass), and any exception is lost where it lands in a callback: hence the timer.
    """

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        import multiprocessing  # here: what is said before any maths is said at once

        console.print("interrupted; go on with --resume", style="yellow")
        for worker in multiprocessing.active_children():
            worker.kill()
        code = _BY_SIGNAL + number
        last = threading.Timer(_LEAVE_SECONDS, os._exit, (code,))
        last.daemon = True
        last.start()
        raise SystemExit(code)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
