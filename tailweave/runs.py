# SPDX-License-Identifier: Apache-2.0
"""Runs of experiments: make one, open one that was made, look at its numbers and its report."""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailweave.experiments import Given, load, short_name
from tailweave.protocols.config.load import Overrides
from tailweave.simulation.audience import audience, in_notebook
from tailweave.simulation.engines.job import Machine
from tailweave.simulation.request import RunOptions, accept

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from tailweave.simulation.measurements import Estimate
    from tailweave.simulation.outcome import Outcome
    from tailweave.simulation.run_folder import RunFolder

_WIDTH = 100
"""Characters of a run's table as plain text."""


@dataclass(frozen=True, repr=False)
class Run:
    """A run in its folder; nothing is kept in memory, each look reads the file.

    Printed or shown in a notebook it is a table: every arm's main metrics at the last generation, mean over
    seeds and half of the 95 % interval.

    Attributes:
        path: The folder: ``config.yaml``, ``metrics.jsonl``, ``summary.json``, ``report.html``, figures.
    """

    path: Path

    @property
    def report(self) -> Path:
        """The report: one HTML page that works offline."""
        return self.path / "report.html"

    @property
    def published(self) -> Path | None:
        """The page "published against reproduced", for experiments of the paper."""
        page = self.path / "published.html"
        return page if page.is_file() else None

    @property
    def unfinished(self) -> str | None:
        """Why the run has not come to its end, such as what failed; None if it has."""
        return self._folder().unfinished

    @property
    def summary(self) -> Mapping[str, Mapping[str, "Estimate"]]:
        """Arm to metric to its value at the last generation.

        An estimate has ``mean``, ``interval`` (95 %, over seeds; None with one seed) and ``seeds``;
        ``float()`` of it is the mean. ``summary.json`` holds the first generation, retention and more.
        """
        from tailweave.simulation.measurements import Estimate

        arms = self._stored_summary()["arms"]
        return {
            arm: {name: Estimate.from_json(value) for name, value in found["last"].items()}
            for arm, found in arms.items()
        }

    def metrics(self) -> list[dict[str, Any]]:
        """Return a row for each seed, arm, silo and generation: ``pandas.DataFrame(run.metrics())``.

        Raises:
            ValueError: If the folder is incomplete or a line is broken.
        """
        return self._folder().metrics()

    def draw(self) -> Path:
        """Make summary, figures and report again, and return the report.

        Raises:
            ValueError: If the folder is incomplete or broken.
        """
        from tailweave.simulation.pages import write_pages

        return write_pages(self._folder())

    def _folder(self) -> "RunFolder":
        from tailweave.simulation.run_folder import RunFolder

        return RunFolder(self.path)

    def _stored_summary(self) -> Mapping[str, Any]:
        path = self.path / "summary.json"
        if not path.is_file():
            raise ValueError(f"{path} is missing: Run.draw() makes it for a run that is finished")
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _outcome(self) -> "Outcome":
        from tailweave.simulation.outcome import Outcome
        from tailweave.simulation.report.wording import as_declared

        with as_declared(self._folder().declared()):
            return Outcome.of(self._stored_summary())

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> Iterator["RenderableType"]:
        """Give rich the table, folded to the console's width."""
        yield from self._outcome().drawn(options.max_width)

    def __repr__(self) -> str:
        """Return where the run is, and its table as plain text once there is one."""
        from rich.console import Console

        where = f"Run({str(self.path)!r})"
        if not (self.path / "summary.json").is_file():
            return where
        text = io.StringIO()
        Console(file=text, force_jupyter=False, width=_WIDTH, markup=False, emoji=False).print(self)
        return f"{where}\n{text.getvalue().rstrip()}"

    def _repr_html_(self) -> str:
        return self._outcome().as_html()


def run(  # noqa: PLR0913 - the keywords are a run's options, one each
    experiment: Given,
    *,
    out: str | PathLike[str] | None = None,
    overrides: Overrides = (),
    engine: str = "in-process",
    workers: int = 0,
    cpus: int = 1,
    gpus: float = 0.0,
    address: str | None = None,
    federation: str | PathLike[str] | None = None,
    resume: bool = False,
    force: bool = False,
    log_format: str = "plain",
    progress: bool | None = None,
) -> Run:
    """Run an experiment and write its report.

    Args:
        experiment: As in ``load``.
        out: Run folder; by default ``runs/<name>``.
        overrides: As in ``load``.
        engine: ``in-process``; ``ray``, Flower's Simulation Runtime; or ``superlink``, a running federation.
        workers: Engine in-process: processes for the silos; 0 stays in this one. A script that asks for more
            runs below ``if __name__ == "__main__":``.
        cpus: Engine ray: CPU cores a silo.
        gpus: Engine ray: GPUs a silo; a fraction shares one.
        address: Engine ray: HOST:PORT of a Ray cluster to join; its machines share the run folder.
        federation: Engine superlink: folder made by ``tailweave deploy init``.
        resume: Go on with an interrupted run in ``out``.
        force: Replace a run folder that is there.
        log_format: ``json`` prints a line for each event on stderr.
        progress: Show it: True, in a notebook's cell or on stderr; False, not; None, in a notebook only. What
            a run warns of is printed where progress is on stderr, else it is a Python warning.

    Returns:
        The finished run.

    Raises:
        ValueError: If what it needs is not there or does not fit; no folder has been made then. Messages name
            an argument as the command line does: ``--force`` is ``force=True``.
        RunFailed: If the run could not go on; ``resume=True`` takes it up again.
    """
    folder = Path(out) if out is not None else Path("runs") / short_name(experiment)
    machine = Machine(workers, cpus, gpus, address, None if federation is None else Path(federation))
    options = RunOptions(folder, engine, machine, resume, force, _command(), log_format)
    request = accept(load(experiment, overrides), options)

    from tailweave.simulation.run import run as run_apps

    return Run(run_apps(request, audience(progress, bar=log_format != "json")).parent)


def _command() -> tuple[str, ...]:
    """Return what was called, for the record; a kernel was called with a path in its user's home."""
    return ("notebook",) if in_notebook() else tuple(sys.argv)


def open_run(path: str | PathLike[str]) -> Run:
    """Open a run that was made before.

    Args:
        path: Its folder.

    Raises:
        ValueError: If it is not the folder of a finished run; says what is missing.
    """
    found = Run(Path(path))
    found._folder().environment()
    return found


def compare(runs: Sequence[Run], out: str | PathLike[str]) -> Path:
    """Write one page about several runs, side by side.

    Args:
        runs: At least two, in the order wanted.
        out: The HTML file.

    Returns:
        ``out``.

    Raises:
        ValueError: If there are fewer than two, or one is incomplete or broken.
    """
    from tailweave.simulation.report.comparison import write_comparison

    page = Path(out)
    page.parent.mkdir(parents=True, exist_ok=True)
    return write_comparison([one._folder() for one in runs], page)
