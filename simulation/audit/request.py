# SPDX-License-Identifier: Apache-2.0
"""What an audit is asked for, checked before anything is computed, or even imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.simulation.out_path import check_writable
from tailweave.simulation.studies.config import is_study, is_study_folder

RUNS = 3000
"""Releases with and without the canary."""
FEWEST_RUNS = 100
"""With fewer, standard errors are not to be trusted."""
QUESTIONS = 1000
"""Free questions under the default policy; each is asked again of a silo that differs in one row."""
FEWEST_QUESTIONS = 100
"""With fewer, nothing is said about a silo that was asked."""


@dataclass(frozen=True)
class AuditRequest:
    """An audit that may begin.

    A run folder has no ``experiment``; ``accept_audit`` says what the rest is.
    """

    target: Path
    experiment: Experiment | None
    out: Path
    runs: int = RUNS
    questions: int = QUESTIONS


def accept_audit(
    target: Path,
    out: Path | None,
    overrides: Sequence[str] = (),
    *,
    beside: Path | None = None,
    runs: int = RUNS,
    questions: int = QUESTIONS,
) -> AuditRequest:
    """Read the experiment, if it is one, and check the options; nothing is made.

    The report goes by default into the run folder itself, or ``runs/<name of the config>-audit``. Overrides
    are ``key.path=value`` each, for a config only; its relative paths are taken from ``beside``.

    Raises:
        ConfigError: If the target is neither, or an option does not fit.
    """
    if target.is_dir() and overrides:
        raise ConfigError(f"--set changes a config; {target} is a run that has been made")
    if out is not None:
        check_writable(out)
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out must be a folder: {out} is a file")
    if is_study_folder(target) or (target.is_file() and is_study(target)):
        raise ConfigError(f"{target} is a study: it has no silos, so nothing to audit")
    for option, asked, fewest in (
        ("canary-runs", runs, FEWEST_RUNS),
        ("questions", questions, FEWEST_QUESTIONS),
    ):
        if asked < fewest:
            raise ConfigError(f"--{option} must be {fewest} or more, got {asked}")
    if target.is_dir():
        return AuditRequest(target, None, out or target, runs, questions)
    folder = out or Path("runs") / f"{target.stem}-audit"
    experiment = load_experiment(target, overrides, beside=beside)
    return AuditRequest(target, experiment, folder, runs, questions)
