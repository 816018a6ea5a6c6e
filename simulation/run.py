# SPDX-License-Identifier: Apache-2.0
"""One run from experiment to report: prepare, make the run folder, run the apps, summarise, draw."""

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from tailweave.clients.generators import Course
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment
from tailweave.protocols.logs import wants_json
from tailweave.simulation.engines import Engine, Job, Machine, open_engine
from tailweave.simulation.engines.opening import in_messages
from tailweave.simulation.environment import environment
from tailweave.simulation.paper.run_page import write_published
from tailweave.simulation.prepare import Prepared, prepare
from tailweave.simulation.progress import run_with_progress, told_on
from tailweave.simulation.report.page import write_report
from tailweave.simulation.run_folder import STATE, RunFolder
from tailweave.simulation.staging import complete, make_folder


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


def run(config: Path, overrides: Sequence[str], options: RunOptions, console: Console) -> Path:
    """Run an experiment and return the path of its report.

    Raises:
        ValueError: If anything about the request is wrong; no folder has been made then.
        RunFailed: If too few silos remain.
    """
    if options.resume and options.force:
        raise ConfigError("--resume goes on with a run and --force replaces it: give one of them")
    wants_json(options.log_format)
    engine = open_engine(options.engine, options.machine)
    experiment = in_messages(load_experiment(config, overrides), options.engine)
    _check_folder(options, dump_experiment(experiment))
    prepared = _prepared(experiment, options, console)
    for warning in prepared.warnings:
        console.print(f"note: {warning}", style="yellow", highlight=False)
    job = _make_folder(prepared, options)
    _run_apps(prepared, engine, job, console)
    complete(prepared, job)
    folder = RunFolder(job.out)
    report = write_report(folder)
    write_published(folder)
    return report


def _prepared(experiment: Experiment, options: RunOptions, console: Console) -> Prepared:
    """Prepare, with the kits of an interrupted run; an unfinished base is kept beside the folder to be."""
    kept = options.out / STATE / "kits" if options.resume else None
    unfinished = options.out.with_name(f".{options.out.name}.base.safetensors")
    elsewhere = options.engine == "superlink"
    with told_on(console, "fitting the base") as tell:
        return prepare(experiment, silos_elsewhere=elsewhere, kept=kept, course=Course(tell, unfinished))


def _check_folder(options: RunOptions, resolved: str) -> None:
    out, stored = options.out, options.out / "config.yaml"
    if options.resume:
        if not stored.exists():
            raise ConfigError(f"--resume: {out} holds no run to go on with (no config.yaml)")
        if stored.read_text(encoding="utf-8") != resolved:
            raise ConfigError(f"--resume: {stored} is of another experiment than the one given")
        return
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not options.force:
        raise ConfigError(
            f"--out: {out} exists; give another folder, --resume to go on, or --force to replace it"
        )
    if not stored.exists():
        raise ConfigError(f"--force: {out} is not a run folder (no config.yaml) and is left alone")


def _make_folder(prepared: Prepared, options: RunOptions) -> Job:
    if options.force and options.out.exists():
        shutil.rmtree(options.out)
    made = environment(
        prepared.experiment, options.command, engine=options.engine, workers=options.machine.workers
    )
    run_id = secrets.token_hex(4) if options.engine == "superlink" else ""
    return replace(make_folder(prepared, options.out, made, run_id), log_format=options.log_format)


def _run_apps(prepared: Prepared, engine: Engine, job: Job, console: Console) -> None:
    try:
        run_with_progress(lambda: engine.run(job), prepared.experiment, job.out / "metrics.jsonl", console)
    finally:
        engine.close()
