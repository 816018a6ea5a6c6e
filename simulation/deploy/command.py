# SPDX-License-Identifier: Apache-2.0
"""``tailweave deploy``: init, check, and what the kit's own scripts call."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    name="deploy",
    help="Files and checks for a federation of real hosts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False, markup=False, emoji=False)
Folder = Annotated[Path, typer.Argument(help="The federation's folder.")]


@app.command()
def init(  # noqa: PLR0913 - typer: one parameter an option
    folder: Annotated[Path, typer.Argument(help="New folder; nothing is ever overwritten.")],
    silo: Annotated[list[str], typer.Option(help="Name of a silo; repeat it.")],
    host: Annotated[
        str, typer.Option(help="Name or IPv4 address by which silos reach the server.")
    ] = "localhost",
    also: Annotated[list[str] | None, typer.Option(help="Further name of the server; repeatable.")] = None,
    port: Annotated[int, typer.Option(help="The gate's port; the others follow it.")] = 9440,
    gpus: Annotated[int | None, typer.Option(help="GPUs of one host: silo i gets GPU i.")] = None,
    device: Annotated[str, typer.Option(help="Device of every silo: cpu, cuda:0, or a GPU's name.")] = "cpu",
) -> None:
    """Make certificates, node keys, scripts, units, Compose file, node settings and a README."""
    from simulation.deploy.kit import Plan
    from simulation.deploy.kit import init as make

    plan = Plan(tuple(silo), host, tuple(also or ()), port, gpus, device)
    make(folder, plan, now=dt.datetime.now(dt.UTC))
    _out.print(f"made {folder}; next: read {folder / 'README.md'}", soft_wrap=True)


@app.command(help="Check this host, one line a check; exit 1 with the remedy if one fails.")
def check(
    folder: Annotated[Path, typer.Argument(help="A federation's folder, or one silo's.")],
    running: Annotated[bool, typer.Option("--running", help="What does not run is an error.")] = False,
) -> None:
    """Print what ``preflight`` finds.

    Raises:
        Exit: Always; with code 1 if a check failed.
    """
    from simulation.deploy.preflight import preflight
    from simulation.deploy.verdict import failed, lines

    verdicts = preflight(folder, now=dt.datetime.now(dt.UTC))
    for line in lines(verdicts, running=running):
        _out.print(line, soft_wrap=True, markup=False)
    raise typer.Exit(1 if failed(verdicts, running=running) else 0)


@app.command()
def renew(folder: Folder) -> None:
    """Make a new server certificate; needs ca/ in the folder."""
    from simulation.deploy.kit import renew as remake

    _out.print(f"new: {remake(folder, now=dt.datetime.now(dt.UTC))}; restart the server", soft_wrap=True)


@app.command()
def register(folder: Folder) -> None:
    """Register the silos' public keys at the SuperLink on this host."""
    from simulation.deploy.federation import load_federation
    from simulation.deploy.registration import register as enter

    for sentence in enter(load_federation(folder)):
        _out.print(sentence, soft_wrap=True)


@app.command(hidden=True)
def settings(folder: Folder) -> None:
    """Print what a start script needs."""
    from simulation.deploy.launch import settings as assignments

    typer.echo(assignments(folder))


@app.command(hidden=True)
def gate(folder: Folder) -> None:
    """Serve the Fleet API, and nothing else, on the open port."""
    from simulation.deploy.federation import load_federation
    from simulation.deploy.gate import serve_gate

    serve_gate(load_federation(folder))
