# SPDX-License-Identifier: Apache-2.0
"""What a run is asked for, checked as far as it goes without any maths: a typo is refused in no time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, dump_experiment
from tailweave.protocols.config.yaml_file import parse_yaml, read_yaml
from tailweave.protocols.logs import wants_json
from tailweave.simulation.engines import Machine
from tailweave.simulation.engines.opening import check_engine, in_messages
from tailweave.simulation.out_path import check_writable


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        out: Run folder.
        engine: One of ``ENGINES``.
        machine: What the engine may use.
        resume: Go on with an interrupted run in ``out``.
        force: Replace a run folder that is there.
        command: The command line, for the record.
        log_format: One of ``protocols.logs.FORMATS``.
    """

    out: Path
    engine: str = "in-process"
    machine: Machine = Machine()
    resume: bool = False
    force: bool = False
    command: Sequence[str] = ()
    log_format: str = ""


@dataclass(frozen=True)
class Request:
    """A run that may begin: the experiment, and how to run it."""

    experiment: Experiment
    options: RunOptions


def accept(experiment: Experiment, options: RunOptions) -> Request:
    """Check the options and the run folder; nothing is made.

    Raises:
        ConfigError: If an option or the state of the run folder is wrong.
    """
    check_engine(options.engine, options.machine)
    experiment = in_messages(experiment, options.engine)
    check_options(options, dump_experiment(experiment))
    return Request(experiment, options)


def check_options(options: RunOptions, resolved: str) -> None:
    """Check all but the engine, and the run folder against what is to be run in it, as YAML.

    Raises:
        ConfigError: If an option or the state of the run folder is wrong.
    """
    if options.resume and options.force:
        raise ConfigError("--resume goes on with a run and --force replaces it: give one of them")
    wants_json(options.log_format)
    _check_folder(options, resolved)


def _check_folder(options: RunOptions, resolved: str) -> None:
    out, stored = options.out, options.out / "config.yaml"
    check_writable(out)
    if options.resume:
        if not stored.exists():
            raise ConfigError(f"--resume: {out} holds no run to go on with (no config.yaml)")
        if stored.read_text(encoding="utf-8") != resolved:
            keys = ", ".join(_differing(read_yaml(stored), parse_yaml(resolved, "--resume:")))
            raise ConfigError(
                f"--resume: {stored} is of another experiment than the one given: {keys} differ"
            )
        return
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not options.force:
        raise ConfigError(
            f"--out: {out} exists; give another folder, --resume to go on, or --force to replace it"
        )
    if not stored.exists():
        raise ConfigError(f"--force: {out} is not a run folder (no config.yaml) and is left alone")


def _differing(stored: Any, given: Any) -> list[str]:  # noqa: ANN401 - raw YAML
    """Return the keys whose values differ."""
    if not (isinstance(stored, dict) and isinstance(given, dict)):
        return ["all"]
    return [str(key) for key in {**given, **stored} if stored.get(key) != given.get(key)]
