# SPDX-License-Identifier: Apache-2.0
"""One study of the paper from configuration to page; ``tailweave run`` comes here for a ``study`` key."""

import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar

from tailweave.protocols.config.yaml_file import ConfigError, read_text
from tailweave.simulation.paper.claims import Claim, findings
from tailweave.simulation.paper.figures import draw
from tailweave.simulation.paper.page import write_page
from tailweave.simulation.paper.published_families import families_claims, transport_claims
from tailweave.simulation.paper.published_gaussian import gaussian_claims
from tailweave.simulation.paper.rows import Progress, rows_of
from tailweave.simulation.paper.spec import StudySpec, dump_study, load_study
from tailweave.simulation.run_folder import Row, read_rows, write_json, write_text


def run_study(config: Path, out: Path, progress: Progress = lambda done, total: None) -> Path:
    """Run a study and write its folder.

    Args:
        config: YAML with a key ``study``.
        out: The folder; made if missing, its files of a former run are replaced.
        progress: Told after each piece of work.

    Returns:
        Path of ``report.html``.

    Raises:
        ConfigError: If the configuration is wrong.
        FileExistsError: If ``out`` is a file.
    """
    spec = load_study(config)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "config.yaml", dump_study(spec))
    write_text(out / "metrics.jsonl", _lines(rows_of(spec, progress)))
    return write_study_report(out)


def write_study_report(folder: Path) -> Path:
    """Make ``published.json``, figures and page again from ``config.yaml`` and ``metrics.jsonl``.

    Args:
        folder: A finished study.

    Returns:
        Path of ``report.html``.

    Raises:
        ValueError: If the configuration or a row is broken.
        FileNotFoundError: If the rows are missing.
    """
    spec = load_study(folder / "config.yaml")
    rows = read_rows(folder / "metrics.jsonl")
    found = findings(_claims(spec), rows)
    write_json(folder / "published.json", [one.as_json() for one in found])
    return write_page(folder, spec, found, draw(spec, rows))


def is_study(config: Path) -> bool:
    """Tell whether a YAML file configures a study of the paper rather than an experiment.

    Args:
        config: The file.

    Returns:
        Whether a line of it starts with the key ``study``.

    Raises:
        FileNotFoundError: If there is none.
        ConfigError: If it cannot be read, is longer than such a file is, or is not text.
    """
    return any(line.startswith("study:") for line in read_text(config).splitlines())


def is_study_folder(folder: Path) -> bool:
    """Tell whether a folder holds a study, by its ``config.yaml``."""
    return (folder / "config.yaml").is_file() and is_study(folder / "config.yaml")


def run_study_command(config: Path, out: Path, console: Console, *, force: bool, plain: bool) -> Path:
    """Run a study for the command line, with a progress bar where someone looks.

    Args:
        config: YAML with a key ``study``.
        out: The folder.
        console: Where progress is shown.
        force: Whether a former study in ``out`` may be replaced.
        plain: Whether nothing was asked for that a study cannot do (``--set``, ``--resume``).

    Returns:
        Path of ``report.html``.

    Raises:
        ConfigError: If the configuration is wrong, or ``out`` exists and may not be replaced.
    """
    if not plain:
        raise ConfigError(f"{config}: a study takes neither --set nor --resume; edit a copy of the file")
    if out.exists() and any(out.iterdir()) and not (force and is_study_folder(out)):
        raise ConfigError(f"--out: {out} exists; give another folder, or --force to replace a former study")
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(config.stem), total=None)
        return run_study(config, out, lambda done, total: bar.update(task, completed=done, total=total))


def _claims(spec: StudySpec) -> list[Claim]:
    made = {"gaussian": gaussian_claims, "families": families_claims, "transport": transport_claims}
    return made[spec.study]()


def _lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
