# SPDX-License-Identifier: Apache-2.0
"""One run from experiment to report: prepare, make the run folder, run the apps, summarise, draw."""

import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from tailweave.clients.generators import Course
from tailweave.protocols.config.experiment import Experiment
from tailweave.server.failure import clear_failure, record_failure
from tailweave.simulation.audience import Audience
from tailweave.simulation.engines import Engine, Job, open_engine
from tailweave.simulation.environment import environment
from tailweave.simulation.inputs import began_with
from tailweave.simulation.pages import write_pages
from tailweave.simulation.prepare import Prepared, prepare
from tailweave.simulation.progress import run_with_progress, told_on
from tailweave.simulation.request import Request, RunOptions
from tailweave.simulation.run_folder import STATE, RunFolder
from tailweave.simulation.staging import complete, drop_state, make_folder


def run(request: Request, audience: Audience) -> Path:
    """Run an experiment and return the path of its report.

    Raises:
        ValueError: If what it needs is not there or does not fit; no folder has been made then.
        RunFailed: If too few silos remain.
    """
    options = request.options
    engine = open_engine(options.engine, options.machine)
    prepared = _prepared(request.experiment, options, audience)
    for warning in prepared.warnings:
        audience.note(warning)
    job = _make_folder(prepared, options)
    _run_apps(prepared, engine, job, audience)
    for warning in complete(prepared, job):
        audience.note(warning)
    report = write_pages(RunFolder(job.out))
    drop_state(job)
    return report


def _prepared(experiment: Experiment, options: RunOptions, audience: Audience) -> Prepared:
    """Prepare, with the kits of an interrupted run; an unfinished base is kept beside the folder to be."""
    kept = options.out / STATE / "kits" if options.resume else None
    unfinished = options.out.with_name(f".{options.out.name}.base.safetensors")
    elsewhere = options.engine == "superlink"
    with told_on(audience, "fitting the base") as tell:
        return prepare(
            experiment,
            silos_elsewhere=elsewhere,
            kept=kept,
            course=Course(tell, unfinished),
            workers=options.machine.workers,
            began=began_with(options.out) if options.resume else None,
        )


def _make_folder(prepared: Prepared, options: RunOptions) -> Job:
    if options.force and options.out.exists():
        shutil.rmtree(options.out)
    made = environment(
        prepared.experiment.seeds, options.command, engine=options.engine, workers=options.machine.workers
    )
    run_id = secrets.token_hex(4) if options.engine == "superlink" else ""
    new = not options.out.exists()
    try:
        return replace(make_folder(prepared, options.out, made, run_id), log_format=options.log_format)
    except Exception:
        if new:  # such as a full disk: half a folder is no run
            shutil.rmtree(options.out, ignore_errors=True)
        raise


def _run_apps(prepared: Prepared, engine: Engine, job: Job, audience: Audience) -> None:
    clear_failure(job.out)
    try:
        run_with_progress(lambda: engine.run(job), prepared.experiment, job.out / "metrics.jsonl", audience)
    except Exception as error:
        record_failure(job.out, error)  # also where a worker or the ServerApp's process could not
        raise
    finally:
        engine.close()
