# SPDX-License-Identifier: Apache-2.0
"""Progress of a run, read from its metrics as they arrive; nothing is printed where no one looks."""

import json
import threading
import time
from collections.abc import Callable
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

from protocols.config.experiment import Experiment

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
    columns = (
        TextColumn("{task.description}", style="bold"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        rows = len(experiment.arms) * len(experiment.seeds) * experiment.silos.followed
        task = progress.add_task("preparing", total=rows * (experiment.recursion.generations + 1))
        reader = _Tail(metrics)
        while thread.is_alive():
            done, last = reader.look()
            progress.update(task, completed=done, description=_describe(last))
            thread.join(_LOOK_SECONDS)
    if failure:
        raise failure[0]


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


def seconds_since(start: float) -> str:
    """Return the time since ``start`` (of ``time.monotonic``) in words."""
    seconds = time.monotonic() - start
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
