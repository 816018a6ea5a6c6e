# SPDX-License-Identifier: Apache-2.0
"""Progress of a run, read from its metrics as they arrive; nothing is printed where no one looks."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tailweave.clients.telling import TOLD
from tailweave.protocols.config.experiment import Experiment
from tailweave.simulation.run_folder import STATE

_LOOK_SECONDS = 0.2


def run_with_progress(
    work: Callable[[], None], experiment: Experiment, metrics: Path, console: Console
) -> None:
    """Do the work in a thread and show how far it is, if the console is a terminal.

    Args:
        work: Runs the experiment; writes ``metrics`` line by line.
        experiment: Tells how many lines there will be.
        metrics: The run's ``metrics.jsonl``.
        console: Where progress is shown.

    Raises:
        BaseException: Whatever the work raises.
    """
    if not console.is_terminal:
        work()
        return
    failure: list[BaseException] = []

    def watched() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=watched, daemon=True)
    thread.start()
    with _bar(console) as progress:
        rows = len(experiment.arms) * len(experiment.seeds) * experiment.silos.followed
        task = progress.add_task("preparing", total=rows * (experiment.recursion.generations + 1))
        reader, state = _Tail(metrics), metrics.parent / STATE
        while thread.is_alive():
            done, last = reader.look()
            progress.update(task, completed=done, description=_describe(last) + _training(state))
            thread.join(_LOOK_SECONDS)
    if failure:
        raise failure[0]


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True)


@contextmanager
def told_on(console: Console, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function of steps done and steps in all, which shows them; None where no one looks."""
    if not console.is_terminal:
        yield None
        return
    with _bar(console) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


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
