# SPDX-License-Identifier: Apache-2.0
"""Who looks on while a run goes on, and how they are told: a terminal, a notebook, or nobody."""

import html
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Tell(Protocol):
    """Shows how far something is."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Say what goes on, the steps done and the steps in all; None while they are not known."""
        ...


@dataclass(frozen=True)
class Audience:
    """Where a run says what it has to say.

    Attributes:
        note: Takes a warning, a sentence.
        bar: Opens a bar; None where no one looks.
    """

    note: Callable[[str], None]
    bar: Callable[[], AbstractContextManager[Tell]] | None


def audience(progress: bool | None, *, bar: bool = True) -> Audience:
    """Return who is told.

    Args:
        progress: True shows it in a notebook's cell, else on stderr; False shows nothing; None only in a
            notebook. What is not shown is a Python warning.
        bar: Whether a terminal gets a bar.
    """
    if progress is False or (progress is None and not in_notebook()):
        return SILENT
    if in_notebook():
        return Audience(_warn, _cell_bar)
    terminal = None if bar else False
    return on_console(
        Console(stderr=True, force_terminal=terminal, highlight=False, markup=False, emoji=False)
    )


def on_console(console: Console) -> Audience:
    """Return an audience in front of a console, which sees a bar if it is a terminal."""

    def note(text: str) -> None:
        console.print(f"note: {text}", style="yellow", highlight=False)

    return Audience(note, (lambda: _terminal_bar(console)) if console.is_terminal else None)


def in_notebook() -> bool:
    """Tell whether this is the process of a notebook: IPython runs here, and runs a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)  # in the line that called tailweave.run


SILENT = Audience(_warn, None)
"""Nobody looks."""


@contextmanager
def _terminal_bar(console: Console) -> Iterator[Tell]:
    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def tell(what: str, done: int, total: int | None) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield tell


@dataclass(frozen=True, repr=False)
class _CellBar:
    what: str = ""
    done: int = 0
    total: int | None = None

    def __repr__(self) -> str:
        return f"{self.what} {self.done}/{self.total}" if self.total else self.what

    def _repr_html_(self) -> str:
        if not self.what:
            return ""
        known = f' value="{self.done}" max="{self.total}"' if self.total else ""
        return f"<progress{known}></progress> {html.escape(repr(self))}"


@contextmanager
def _cell_bar() -> Iterator[Tell]:
    """A line of a cell's output, written over as it goes on and empty in the end."""
    shown = importlib.import_module("IPython.display").display(_CellBar(), display_id=True)
    last = _CellBar()

    def tell(what: str, done: int, total: int | None) -> None:
        nonlocal last
        now = _CellBar(what, done, total)
        if now != last:
            shown.update(now)
            last = now

    try:
        yield tell
    finally:
        shown.update(_CellBar())
