# SPDX-License-Identifier: Apache-2.0
"""One study from configuration to page; ``tailweave run`` comes here for a ``study`` key."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console

from tailweave.protocols.kinds.studies.base import StudyKind
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.audience import Audience
from tailweave.simulation.environment import environment
from tailweave.simulation.progress import told_on
from tailweave.simulation.report.wording import counted
from tailweave.simulation.request import RunOptions
from tailweave.simulation.run_folder import STATE, Row, RunFolderError, read_rows, write_json
from tailweave.simulation.studies.base import study_of
from tailweave.simulation.studies.claims import findings
from tailweave.simulation.studies.config import dump_study, load_study
from tailweave.simulation.studies.page import write_page
from tailweave.simulation.studies.spreading import spread


def run_study(spec: StudyKind, options: RunOptions, audience: Audience) -> Path:
    """Run a study into ``options.out``, or go on with one, and return the path of its page.

    Tasks that are done are kept in the folder's state until the end, so a study that was interrupted at any
    moment writes the same files as one that was not.

    Raises:
        ValueError: If what the study needs is not there or does not fit.
        RunFailed: If a worker process died.
    """
    out = options.out
    if options.force and out.exists():
        shutil.rmtree(out)
    state, metrics = out / STATE, out / "metrics.jsonl"
    if not metrics.exists() or state.exists():
        state.mkdir(parents=True, exist_ok=True)
        write_whole(out / "config.yaml", dump_study(spec))
        made = environment(spec.seeds, options.command, engine="in-process", workers=spec.workers)
        write_json(out / "environment.json", made)
        with told_on(audience, spec.study) as tell:
            write_whole(metrics, _lines(rows_of(spec, state, tell)))
    page = write_study_report(out)
    shutil.rmtree(state, ignore_errors=True)
    return page


def rows_of(spec: StudyKind, state: Path, tell: Callable[[int, int], None] | None = None) -> list[Row]:
    """Return all rows of a study, in its order; the same for any number of workers.

    Args:
        spec: The study.
        state: Folder that keeps the rows of tasks that are done.
        tell: Told after each task: tasks done, tasks in all.

    Raises:
        ValueError: If what the study needs is not there or does not fit.
        RunFailed: If a worker process died.
    """
    study = study_of(spec)
    done = spread(study.rows, study.tasks(), spec.workers, state / "tasks.jsonl", tell)
    return study.ordered([row for rows in done for row in rows])


def write_study_report(folder: Path) -> Path:
    """Make ``published.json``, figures and page again from ``config.yaml`` and ``metrics.jsonl``.

    Raises:
        ValueError: If the study is not finished, or the configuration or a row is broken.
    """
    spec, metrics = load_study(folder / "config.yaml"), folder / "metrics.jsonl"
    if not metrics.is_file():
        raise RunFolderError(
            f"{folder} is not a finished study: {metrics.name} is missing; finish it by --resume"
        )
    study, rows = study_of(spec), read_rows(metrics)
    found = findings(study.claims(), rows)
    write_json(folder / "published.json", [one.as_json() for one in found])
    return write_page(folder, spec, found, study.figures(rows))


def dry_run_study(spec: StudyKind, console: Console) -> None:
    """Print what a study would take: its tasks; nothing is made."""
    tasks = counted(len(study_of(spec).tasks()), "task")
    seeds, workers = counted(len(spec.seeds), "seed"), counted(spec.workers, "worker")
    console.print(f"{'study':<10}{spec.study}: {tasks} over {seeds}, {workers}", soft_wrap=True)


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
