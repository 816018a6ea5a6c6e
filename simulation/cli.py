# SPDX-License-Identifier: Apache-2.0
"""The command line: ``tailweave list | inspect | run | report | export | score | audit | …``."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer
import typer.core
from rich.console import Console

import tailweave
from tailweave.simulation.deploy.command import app as deploy_app
from tailweave.simulation.export_command import export
from tailweave.simulation.inspect_command import inspect
from tailweave.simulation.score_command import score
from tailweave.simulation.serve_command import serve

if TYPE_CHECKING:
    from tailweave.simulation.chosen import Chosen
    from tailweave.simulation.request import RunOptions


class _InOrderOfUse(typer.core.TyperGroup):
    """Help lists the commands as one comes to need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        order = ("list", "inspect", "run", "report", "export", "score", "audit", "base", "serve", "deploy")
        return sorted(super().list_commands(ctx), key=order.index)  # an error for one that has no place yet


app = typer.Typer(
    name="tailweave",
    help="Siloed against collaborative retraining: who loses the tails, and what sharing summaries saves.",
    cls=_InOrderOfUse,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(deploy_app, name="deploy")
app.command()(inspect)
app.command()(serve)
app.command()(export)
app.command(help="Say which groups synthetic rows have lost, whoever made them.")(score)


def _console(*, stderr: bool = False, terminal: bool | None = None) -> Console:
    """Return a console that prints as it is told: what is told may be a path, or a text from elsewhere."""
    return Console(stderr=stderr, force_terminal=terminal, highlight=False, markup=False, emoji=False)


_out, _err = _console(), _console(stderr=True)


def _version(asked: bool) -> None:
    if asked:
        _out.print(f"tailweave {tailweave.__version__}")
        raise typer.Exit


@app.callback()
def every(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Do what any command needs before it: nothing."""


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="Experiment: a name that `list` shows, or a YAML file.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; default runs/<name of the file>.")] = None,
    engine: Annotated[str, typer.Option(help="How the two apps are run.")] = "in-process",
    workers: Annotated[int, typer.Option(help="Processes for the silos; 0 stays in this one.")] = 0,
    cpus: Annotated[int, typer.Option(help="Engine ray: CPU cores a silo.")] = 1,
    gpus: Annotated[float, typer.Option(help="Engine ray: GPUs a silo; a fraction shares one.")] = 0.0,
    address: Annotated[str | None, typer.Option(help="Engine ray: HOST:PORT of a cluster to join.")] = None,
    federation: Annotated[Path | None, typer.Option(help="Engine superlink: folder of deploy init.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="key.path=value, repeatable.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run folder that exists.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the run would take.")] = False,
    log_format: Annotated[str, typer.Option(help="json: a line an event, also in log.jsonl.")] = "plain",
) -> None:
    """Run an experiment, or a study, and write its report."""
    from tailweave.simulation.chosen import choose
    from tailweave.simulation.engines.job import Machine
    from tailweave.simulation.interrupt import leaving_on_interrupt
    from tailweave.simulation.request import RunOptions
    from tailweave.simulation.studies.config import is_study

    begun, chosen = time.monotonic(), choose(config)
    if is_study(chosen.path):
        folder = out or Path("runs") / chosen.path.stem
        machine = Machine(workers, cpus, gpus, address, federation)
        options = RunOptions(folder, engine, machine, resume, force, sys.argv, log_format)
        _study(chosen, override or [], options, dry_run=dry_run)
        return
    if dry_run:
        _describe(config, override or [], engine)
        return
    with leaving_on_interrupt(_err):
        done = tailweave.run(
            config,
            out=out,
            overrides=override or [],
            engine=engine,
            workers=workers,
            cpus=cpus,
            gpus=gpus,
            address=address,
            federation=federation,
            resume=resume,
            force=force,
            log_format=log_format,
            progress=True,
        )
    _out.print(done)
    _say_where(done.report, begun)


def _describe(config: Path, overrides: Sequence[str], engine: str) -> None:
    from tailweave.simulation.engines.opening import in_messages

    experiment = in_messages(tailweave.load(config, overrides), engine)

    from tailweave.simulation.dry_run import dry_run

    dry_run(experiment, _out, silos_elsewhere=engine == "superlink")


def _study(chosen: "Chosen", overrides: Sequence[str], options: "RunOptions", *, dry_run: bool) -> None:
    from tailweave.simulation.studies.config import accept_study

    begun = time.monotonic()
    spec, options = accept_study(chosen, overrides, options, dry_run=dry_run)

    from tailweave.simulation.audience import audience
    from tailweave.simulation.interrupt import leaving_on_interrupt
    from tailweave.simulation.studies.run import dry_run_study, run_study

    if dry_run:
        dry_run_study(spec, _out)
        return
    with leaving_on_interrupt(_err):
        page = run_study(spec, options, audience(True, bar=options.log_format != "json"))
    _say_where(page, begun)


def _say_where(page: Path, begun: float) -> None:
    from tailweave.simulation.progress import seconds_since

    _out.print(f"ran in {seconds_since(begun)}; report: {page}", soft_wrap=True)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Finished run folders.")],
    out: Annotated[Path, typer.Option(help="Page that compares several runs.")] = Path(
        "runs/comparison.html"
    ),
) -> None:
    """Make report and figures again; with several folders also a page side by side."""
    from tailweave.simulation.studies.config import is_study_folder

    studies = [path for path in folders if is_study_folder(path)]
    for path in studies:
        from tailweave.simulation.studies.run import write_study_report

        _out.print(f"report: {write_study_report(path)}", soft_wrap=True)
    opened = [tailweave.open_run(path) for path in folders if path not in studies]
    for one in opened:
        if one.unfinished:
            _err.print(f"{one.path}: {one.unfinished}", style="yellow", soft_wrap=True)
        _out.print(f"report: {one.draw()}", soft_wrap=True)
        if one.published:
            _out.print(f"published against reproduced: {one.published}", soft_wrap=True)
    if len(opened) > 1:
        _out.print(f"comparison: {tailweave.compare(opened, out)}", soft_wrap=True)


@app.command()
def audit(
    target: Annotated[Path, typer.Argument(help="Experiment, by name or file, or a run folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder for audit.html and audit.json.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="key.path=value, repeatable.")] = None,
    canary_runs: Annotated[int, typer.Option(help="Releases with and without the canary.")] = 3000,
    questions: Annotated[int, typer.Option(help="Free questions to a silo under its default policy.")] = 1000,
) -> None:
    """Attack what leaves the silos; exit 1 if a promised bound is broken."""
    from tailweave.simulation.audit.request import accept_audit
    from tailweave.simulation.chosen import Chosen, choose

    chosen = Chosen(target, target) if target.is_dir() else choose(target)
    request = accept_audit(
        chosen.path, out, override or [], beside=chosen.beside, runs=canary_runs, questions=questions
    )

    from tailweave.simulation.audit.command import run_audit

    raise typer.Exit(run_audit(request, _out))


@app.command()
def base(
    config: Annotated[Path, typer.Argument(help="Experiment: a name that `list` shows, or a YAML file.")],
    out: Annotated[Path, typer.Option(help="File to write, such as base.npz.")],
    seed: Annotated[int | None, typer.Option(help="Of which seed; default the experiment's first.")] = None,
    override: Annotated[list[str] | None, typer.Option("--set", help="key.path=value, repeatable.")] = None,
) -> None:
    """Fit the public base of one seed into a file, for generator.start.path and every node's base."""
    from tailweave.simulation.out_path import check_writable

    experiment = tailweave.load(config, override or [])
    check_writable(out)
    if out.exists():
        raise ValueError(f"--out: {out} exists and is left alone; give another file")

    from tailweave.simulation.base_writing import write_base

    _out.print(write_base(experiment, out, seed), soft_wrap=True)


@app.command("list")
def list_all(
    configs: Annotated[
        Path | None, typer.Option(help="Folder of your own experiments, instead of those that come along.")
    ] = None,
) -> None:
    """Show configs, data sources, generators, references, rules, metrics and studies, with one line each."""
    from rich.table import Table

    from tailweave.simulation.catalogue import catalogue

    for title, entries in catalogue(configs):
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
        table.add_column(overflow="fold")
        for name, line in entries:
            table.add_row(name, line)
        _out.print(table)
        _out.print()


def main() -> None:
    """Run the command line; an error is one message, exit code 2 for what the user got wrong, else 1."""
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # before Flower is imported, which looks once

    from tailweave.simulation.last_words import last_words

    try:
        app(prog_name="tailweave")
    except Exception as error:  # noqa: BLE001 - a person gets a sentence, whatever it is
        message, code = last_words(error)
        _err.print(message, style="red", soft_wrap=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
