# SPDX-License-Identifier: Apache-2.0
"""One run from experiment to report: prepare, make the run folder, run the apps, summarise, draw."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from clients.generators import Course
from protocols.config.experiment import Experiment
from protocols.config.load import ConfigError, dump_experiment, load_experiment
from server.app import run_name
from simulation.engines import ENGINES
from simulation.engines.in_process import run_in_process
from simulation.environment import environment
from simulation.images import collect_images
from simulation.maps import collect_maps, save_maps
from simulation.prepare import Prepared, prepare
from simulation.progress import run_with_progress, told_on
from simulation.report.page import write_report
from simulation.run_folder import STATE, RunFolder, write_json, write_text
from simulation.summary import write_summary


@dataclass(frozen=True)
class RunOptions:
    """How to run.

    Attributes:
        out: Run folder.
        engine: One of ``ENGINES``.
        workers: Processes of the in-process engine; 0 stays in this one.
        resume: Go on with an interrupted run in ``out``.
        force: Replace a run folder that is there.
        command: The command line, for the record.
    """

    out: Path
    engine: str = "in-process"
    workers: int = 0
    resume: bool = False
    force: bool = False
    command: Sequence[str] = ()


def run(config: Path, overrides: Sequence[str], options: RunOptions, console: Console) -> Path:
    """Run an experiment and return the path of its report.

    Raises:
        ValueError: If anything about the request is wrong; no folder has been made then.
        RunFailed: If too few silos remain.
    """
    _check_options(options)
    experiment = load_experiment(config, overrides)
    _check_folder(options, dump_experiment(experiment))
    prepared = _prepared(experiment, options, console)
    for warning in prepared.warnings:
        console.print(f"note: {warning}", style="yellow", highlight=False)
    _make_folder(prepared, options)
    _run_apps(prepared, options, console)
    return finish(prepared, options.out)


def _prepared(experiment: Experiment, options: RunOptions, console: Console) -> Prepared:
    """Prepare, with the kits of an interrupted run; an unfinished base is kept beside the folder to be."""
    kept = options.out / STATE / "kits" if options.resume else None
    unfinished = options.out.with_name(f".{options.out.name}.base.safetensors")
    with told_on(console, "fitting the base") as tell:
        return prepare(experiment, kept=kept, course=Course(tell, unfinished))


def _check_options(options: RunOptions) -> None:
    if options.engine not in ENGINES:
        raise ConfigError(f"--engine: {options.engine!r} is unknown; allowed: {', '.join(ENGINES)}")
    if options.workers < 0:
        raise ConfigError(f"--workers must be 0 or more, got {options.workers}")
    if options.resume and options.force:
        raise ConfigError("--resume goes on with a run and --force replaces it: give one of them")


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


def _make_folder(prepared: Prepared, options: RunOptions) -> None:
    out = options.out
    if options.force and out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "config.yaml", dump_experiment(prepared.experiment))  # first: --resume looks for it
    prepared.save_kits(out / STATE / "kits")
    record = environment(prepared.experiment, options.command, engine=options.engine, workers=options.workers)
    write_json(out / "environment.json", record)


def _run_apps(prepared: Prepared, options: RunOptions, console: Console) -> None:
    out = options.out.resolve()
    run_config = {
        "config": str(out / "config.yaml"),
        "out": str(out),
        "kit": str(out / STATE / "kits"),
        "state-dir": str(out / STATE),
    }
    nodes = [{"partition-id": i} for i in range(prepared.experiment.silos.count)]
    run_with_progress(
        lambda: run_in_process(nodes, run_config, workers=options.workers),
        prepared.experiment,
        out / "metrics.jsonl",
        console,
    )


def finish(prepared: Prepared, out: Path) -> Path:
    """Make maps, summary, figures and report of a run whose metrics are complete; drop its state."""
    experiment = prepared.experiment
    state = out / STATE / run_name(experiment)
    features = prepared.kits[experiment.seeds[0]].features
    if state.exists():  # resumed after it was finished: the map is there already
        config = out.resolve() / "config.yaml"
        save_maps(out / "maps.npz", collect_maps(experiment, features, config, state))
        if images := collect_images(experiment, config, state):
            save_maps(out / "images.npz", images)
    folder = RunFolder(out)
    write_summary(folder)
    report = write_report(folder)
    shutil.rmtree(out / STATE, ignore_errors=True)
    return report
