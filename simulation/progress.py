# SPDX-License-Identifier: Apache-2.0
"""Progress of a run, read from its metrics as they arrive; nothing is printed where no one looks."""

import contextvars
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tailweave.clients.telling import TOLD
from tailweave.protocols.config.experiment import Experiment
from tailweave.simulation.audience import Audience, Tell
from tailweave.simulation.run_folder import STATE

_LOOK_SECONDS = 0.2


def run_with_progress(
    work: Callable[[], None], experiment: Experiment, metrics: Path, audience: Audience
) -> None:
    """Do the work, which writes ``metrics`` line by line; if someone looks, show from a thread how far it is.

    Raises:
        BaseException: Whatever the work raises; an interrupted notebook leaves no work behind.
    """
    if audience.bar is None:
        work()
        return
    rows = len(experiment.arms) * len(experiment.seeds) * experiment.silos.measured
    total, over = rows * (experiment.recursion.generations + 1), threading.Event()
    with audience.bar() as tell:
        here = contextvars.copy_context()  # a notebook knows by it which cell the thread speaks for
        watcher = threading.Thread(target=here.run, args=(_watch, metrics, tell, total, over), daemon=True)
        watcher.start()
        try:
            work()
        finally:
            over.set()
            watcher.join()


def _watch(metrics: Path, tell: Tell, total: int, over: threading.Event) -> None:
    reader, state = _Tail(metrics), metrics.parent / STATE
    ended, pause = False, _LOOK_SECONDS
    while not ended:
        ended = over.wait(pause)  # and then a last look
        begun = time.monotonic()
        done, last = reader.look()
        tell(_describe(last) + _training(state), done, total)
        pause = max(_LOOK_SECONDS, 50.0 * (time.monotonic() - begun))  # a thousand silos have many folders


@contextmanager
def told_on(audience: Audience, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function of steps done and steps in all, which shows them; None where no one looks."""
    if audience.bar is None:
        yield None
        return
    with audience.bar() as tell:
        tell(what, 0, None)
        yield lambda done, total: tell(what, done, total)


class _Tail:
    """Counts the lines of a growing file and keeps the last one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._count = 0
        self._last = ""

    def look(self) -> tuple[int, str]:
        if self._path.exists():
            with self._path.open("rb") as file:  # bytes: the end may be half a character
                file.seek(self._offset)
                fresh = file.read()
            *whole, torn = fresh.split(b"\n")
            self._offset += len(fresh) - len(torn)
            self._count += len(whole)
            self._last = whole[-1].decode() if whole else self._last
        return self._count, self._last


def _describe(line: str) -> str:
    if not line:
        return "greeting silos"
    row = json.loads(line)
    return f"seed {row['seed']} {row['arm']} generation {row['generation']}"


def _training(state: Path) -> str:
    """Return how far the training that told last is, if one is going on."""
    told = [path for path in state.glob(f"*/seed-*/*/*/{TOLD}") if path.exists()]
    try:
        newest = max(told, key=lambda path: path.stat().st_mtime)
        step = json.loads(newest.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or gone since: its training has finished
        return ""
    arm, silo = newest.parent.name, newest.parent.parent.name
    return f" | {silo} {arm} step {step['done']} of {step['total']}"


def seconds_since(start: float) -> str:
    """Return the time since ``start`` (of ``time.monotonic``) in words."""
    seconds = time.monotonic() - start
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
