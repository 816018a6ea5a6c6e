# SPDX-License-Identifier: Apache-2.0
"""One study of the paper from configuration to page; ``tailweave run`` comes here for a ``study`` key."""

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar

from tailweave.protocols.config.yaml_file import ConfigError
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.paper.claims import findings
from tailweave.simulation.paper.figures import draw
from tailweave.simulation.paper.page import write_page
from tailweave.simulation.paper.published import claims
from tailweave.simulation.paper.rows import Progress, rows_of
from tailweave.simulation.paper.spec import StudySpec, dump_study, is_study_folder, load_study
from tailweave.simulation.run_folder import Row, read_rows, write_json


def run_study(spec: StudySpec, out: Path, progress: Progress = lambda done, total: None) -> Path:
    """Run a study into a folder, replacing files of a former run, and return the path of its page.

    Raises:
        FileExistsError: If ``out`` is a file.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "config.yaml", dump_study(spec))
    write_whole(out / "metrics.jsonl", _lines(rows_of(spec, progress)))
    return write_study_report(out)


def write_study_report(folder: Path) -> Path:
    """Make ``published.json``, figures and page again from ``config.yaml`` and ``metrics.jsonl``.

    Raises:
        ValueError: If the configuration or a row is broken.
        FileNotFoundError: If the rows are missing.
    """
    spec = load_study(folder / "config.yaml")
    rows = read_rows(folder / "metrics.jsonl")
    found = findings(claims(spec.study), rows)
    write_json(folder / "published.json", [one.as_json() for one in found])
    return write_page(folder, spec, found, draw(spec, rows))


def run_study_command(spec: StudySpec, out: Path, console: Console, *, force: bool) -> Path:
    """Run a study for the command line, with a progress bar where someone looks.

    Raises:
        ConfigError: If ``out`` exists and is no former study that ``force`` may replace.
    """
    if out.exists() and any(out.iterdir()) and not (force and is_study_folder(out)):
        raise ConfigError(f"--out: {out} exists; give another folder, or --force to replace a former study")
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(spec.study, total=None)
        return run_study(spec, out, lambda done, total: bar.update(task, completed=done, total=total))


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
