# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit CONFIG|RUN_DIR``: attack, write the report, say whether a promise is broken."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from threadpoolctl import threadpool_limits

from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.doors import FEWEST_QUESTIONS, QUESTIONS, knock
from tailweave.simulation.audit.one_row import FEWEST_RUNS, RUNS
from tailweave.simulation.audit.recorded import audit_run
from tailweave.simulation.audit.report import write_audit
from tailweave.simulation.audit.terminal import print_audit
from tailweave.simulation.paper.study import is_study, is_study_folder
from tailweave.simulation.run_folder import RunFolder


def run_audit(
    target: Path,
    out: Path | None,
    console: Console,
    overrides: Sequence[str] = (),
    *,
    runs: int = RUNS,
    questions: int = QUESTIONS,
) -> int:
    """Audit a config (what it would send) or a run folder (what it sent).

    Args:
        target: A YAML file, or a folder that ``tailweave run`` wrote.
        out: Folder for ``audit.html`` and ``audit.json``; by default the run folder itself, or
            ``runs/<name of the config>-audit``.
        console: Where the summary goes.
        overrides: ``key.path=value`` each; for a config only.
        runs: Releases of each canary audit with and without the canary, at least 100.
        questions: Free questions to a silo under its default policy, at least 100.

    Returns:
        Exit code: 1 if a promise is broken, else 0.

    Raises:
        ValueError: If the target is neither, or cannot be audited.
    """
    _check(target, out, overrides)
    for option, asked, fewest in (
        ("canary-runs", runs, FEWEST_RUNS),
        ("questions", questions, FEWEST_QUESTIONS),
    ):
        if asked < fewest:
            raise ConfigError(f"--{option} must be {fewest} or more, got {asked}")
    with threadpool_limits(1):  # many small products: threads only get in each other's way
        if target.is_dir():
            result, folder = audit_run(RunFolder(target), runs=runs), out or target
        else:
            result = audit(load_experiment(target, overrides), str(target), runs=runs)
            folder = out or Path("runs") / f"{target.stem}-audit"
        result = replace(result, findings=(*result.findings, *knock(questions)))
    folder.mkdir(parents=True, exist_ok=True)
    page = write_audit(result, folder)
    print_audit(result, console)
    console.print(f"report: {page}", soft_wrap=True)
    return 1 if result.broken else 0


def _check(target: Path, out: Path | None, overrides: Sequence[str]) -> None:
    """Refuse what cannot come to anything, before anything is computed."""
    if target.is_dir() and overrides:
        raise ConfigError(f"--set changes a config; {target} is a run that has been made")
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out must be a folder: {out} is a file")
    if _is_study(target):
        raise ConfigError(f"{target} is a study of the paper: it has no silos, so nothing to audit")


def _is_study(target: Path) -> bool:
    try:
        return is_study_folder(target) or (target.is_file() and is_study(target))
    except UnicodeDecodeError:  # the loader says so
        return False
