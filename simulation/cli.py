# SPDX-License-Identifier: Apache-2.0
"""The command line: ``tailweave run | report | audit | list``."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")

import typer
from rich.console import Console
from rich.table import Table

from tailweave.simulation.deploy.command import app as deploy_app
from tailweave.simulation.serve_command import serve

app = typer.Typer(
    name="tailweave",
    help="Siloed against collaborative retraining: who loses the tails, and what sharing summaries saves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(deploy_app, name="deploy")
app.command()(serve)


def _console(*, stderr: bool = False, terminal: bool | None = None) -> Console:
    """Return a console that prints as it is told: what is told may be a path, or a text from elsewhere."""
    return Console(stderr=stderr, force_terminal=terminal, highlight=False, markup=False, emoji=False)


_out, _err = _console(), _console(stderr=True)
_BY_SIGNAL = 128
"""Added to the number of a signal, gives the exit code: 130 after Ctrl-C."""
_LEAVE_SECONDS = 5.0


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave on Ctrl-C or SIGTERM, at once: a run may be killed at any moment and loses nothing.

    A ``KeyboardInterrupt`` gives exit code -2 where it lands in an ``exec`` (as in the making of a
    dataclass), and any exception is lost where it lands in a callback: hence the timer.
    """
    _err.print("interrupted; go on with --resume", style="yellow")
    for worker in multiprocessing.active_children():
        worker.kill()
    code = _BY_SIGNAL + number
    last = threading.Timer(_LEAVE_SECONDS, os._exit, (code,))
    last.daemon = True
    last.start()
    raise SystemExit(code)


@contextmanager
def _leaving_on_interrupt() -> Iterator[None]:
    before = {number: signal.signal(number, _leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="Experiment (YAML); see `tailweave list`.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the config>.")] = None,
    engine: Annotated[str, typer.Option(help="How the two apps are run.")] = "in-process",
    workers: Annotated[int, typer.Option(help="Processes for the silos; 0 stays in this one.")] = 0,
    cpus: Annotated[int, typer.Option(help="Engine ray: CPU cores a silo.")] = 1,
    gpus: Annotated[float, typer.Option(help="Engine ray: GPUs a silo; a fraction shares one.")] = 0.0,
    federation: Annotated[
        Path | None, typer.Option(help="Engine superlink: folder made by `tailweave deploy init`.")
    ] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="key.path=value, repeatable.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run folder that exists.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the run would take.")] = False,
    log_format: Annotated[
        str, typer.Option(help="json: a line for each event on stderr and in log.jsonl; no progress bar.")
    ] = "plain",
) -> None:
    """Run an experiment, or a study of the paper (configs/paper), and write its report."""
    from tailweave.simulation import run as runner
    from tailweave.simulation.engines import Machine
    from tailweave.simulation.outcome import print_outcome
    from tailweave.simulation.paper import study
    from tailweave.simulation.progress import seconds_since

    begun = time.monotonic()
    folder = out or Path("runs") / config.stem
    if dry_run:
        from tailweave.simulation.dry_run import dry_run as describe

        describe(config, override or [], _out, engine=engine)
        return
    if config.is_file() and study.is_study(config):
        page = study.run_study_command(config, folder, _err, force=force, plain=not (override or resume))
        _out.print(f"ran in {seconds_since(begun)}; report: {page}", soft_wrap=True)
        return
    machine = Machine(workers, cpus, gpus, federation)
    options = runner.RunOptions(folder, engine, machine, resume, force, tuple(sys.argv), log_format)
    console = _console(stderr=True, terminal=False) if log_format == "json" else _err
    with _leaving_on_interrupt():
        report = runner.run(config, override or [], options, console)
    print_outcome(folder, _out)
    _out.print(f"ran in {seconds_since(begun)}; report: {report}", soft_wrap=True)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Finished run folders.")],
    out: Annotated[Path, typer.Option(help="Page that compares several runs.")] = Path(
        "runs/comparison.html"
    ),
) -> None:
    """Make report and figures again; with several folders also a page side by side."""
    from tailweave.simulation.paper import study
    from tailweave.simulation.paper.run_page import write_published
    from tailweave.simulation.report.comparison import write_comparison
    from tailweave.simulation.report.page import write_report
    from tailweave.simulation.run_folder import RunFolder
    from tailweave.simulation.summary import write_summary

    studies = [path for path in folders if study.is_study_folder(path)]
    for path in studies:
        _out.print(f"report: {study.write_study_report(path)}", soft_wrap=True)
    opened = [RunFolder(path) for path in folders if path not in studies]
    for folder in opened:
        write_summary(folder)
        _out.print(f"report: {write_report(folder)}", soft_wrap=True)
        if page := write_published(folder):
            _out.print(f"published against reproduced: {page}", soft_wrap=True)
    if len(opened) > 1:
        out.parent.mkdir(parents=True, exist_ok=True)
        _out.print(f"comparison: {write_comparison(opened, out)}", soft_wrap=True)


@app.command()
def audit(
    target: Annotated[Path, typer.Argument(help="Experiment (YAML) or a run folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for audit.html and audit.json.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="key.path=value, repeatable.")] = None,
    canary_runs: Annotated[int, typer.Option(help="Releases with and without the canary.")] = 3000,
    questions: Annotated[int, typer.Option(help="Free questions to a silo under its default policy.")] = 1000,
) -> None:
    """Attack what leaves the silos; exit 1 if a promised bound is broken."""
    from tailweave.simulation.audit.command import run_audit

    raise typer.Exit(run_audit(target, out, _out, override or [], runs=canary_runs, questions=questions))


@app.command("list")
def list_all(
    configs: Annotated[Path, typer.Option(help="Folder of experiments.")] = Path("configs"),
) -> None:
    """Show configs, data sources, generators, references, rules and metrics, with one line each."""
    from tailweave.simulation.catalogue import catalogue

    for title, entries in catalogue(configs):
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
        table.add_column(overflow="fold")
        for name, line in entries:
            table.add_row(name, line)
        _out.print(table)
        _out.print()


def main() -> None:
    """Run the command line; what the user got wrong is one message and exit code 2."""
    from tailweave.server.failure import RunFailed

    try:
        app()
    except ValueError as error:
        _err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except RunFailed as error:
        _err.print(f"run failed: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
