# SPDX-License-Identifier: Apache-2.0
"""``tailweave deploy``: init, check, what a silo's owner does, and what the kit's own scripts call."""

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
SiloFolder = Annotated[Path, typer.Argument(help="A silo's folder, on its own host.")]
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
    device: Annotated[
        str,
        typer.Option(help="Device of every silo: cpu, cuda:0, a GPU's name, or allotted (Slurm's choice)."),
    ] = "cpu",
    slurm: Annotated[bool, typer.Option("--slurm", help="Batch scripts too, one job a silo.")] = False,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Manifests too, one silo a namespace; they hold keys.")
    ] = False,
) -> None:
    """Make certificates, node keys, scripts, units, Compose file, node settings and a README."""
    from tailweave.simulation.deploy.kit import Plan
    from tailweave.simulation.deploy.kit import init as make

    asked = {"slurm": slurm, "kubernetes": kubernetes}
    supervisors = frozenset(name for name, wanted in asked.items() if wanted)
    plan = Plan(tuple(silo), host, tuple(also or ()), port, gpus, device, supervisors)
    make(folder, plan, now=dt.datetime.now(dt.UTC))
    _out.print(f"made {folder}; next: read {folder / 'README.md'}", soft_wrap=True)


@app.command(help="Check this host, one line a check; exit 1 with the remedy if one fails.")
def check(
    folder: Annotated[Path, typer.Argument(help="A federation's folder, or one silo's.")],
    running: Annotated[bool, typer.Option("--running", help="What does not run is an error.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Send no foreign app through the executor.")] = False,
) -> None:
    """Print what ``preflight`` finds.

    Raises:
        Exit: Always; with code 1 if a check failed.
    """
    from tailweave.simulation.deploy.preflight import preflight
    from tailweave.simulation.deploy.verdict import failed, lines

    verdicts = preflight(folder, now=dt.datetime.now(dt.UTC), prove=not quick)
    for line in lines(verdicts, running=running):
        _out.print(line, soft_wrap=True, markup=False)
    raise typer.Exit(1 if failed(verdicts, running=running) else 0)


@app.command()
def renew(folder: Folder) -> None:
    """Make a new server certificate; needs ca/ in the folder."""
    from tailweave.simulation.deploy.kit import renew as remake

    _out.print(f"new: {remake(folder, now=dt.datetime.now(dt.UTC))}; restart the server", soft_wrap=True)


@app.command()
def register(folder: Folder) -> None:
    """Register the silos' public keys at the SuperLink on this host."""
    from tailweave.simulation.deploy.federation import load_federation
    from tailweave.simulation.deploy.registration import register as enter

    for sentence in enter(load_federation(folder)):
        _out.print(sentence, soft_wrap=True)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A silo's folder.")],
    run: Annotated[str | None, typer.Argument(help="Name of a run; by default the latest.")] = None,
) -> None:
    """Show a silo's owner every arm's numbers, also those that the server is not told."""
    from tailweave.simulation.deploy.owner_view import owner_view

    for part in owner_view(folder, run, _out.width):
        _out.print(part, soft_wrap=isinstance(part, str), markup=False)


@app.command()
def refresh(folder: SiloFolder) -> None:
    """Say that a silo's rows have changed: the next question is answered, and charged, anew."""
    from tailweave.simulation.deploy.data_set import refresh as begin
    from tailweave.simulation.deploy.node_settings import load_node

    _out.print(begin(load_node(folder)), soft_wrap=True, markup=False)


@app.command()
def runs(folder: SiloFolder) -> None:
    """List what runs have left on a silo's host, with their sizes."""
    from tailweave.simulation.deploy.kept_runs import kept_runs
    from tailweave.simulation.deploy.node_settings import load_node

    for run in kept_runs(load_node(folder)):
        _out.print(run.line(), soft_wrap=True, markup=False)


@app.command()
def forget(
    folder: SiloFolder,
    run: Annotated[str | None, typer.Argument(help="Name of the run, see: deploy runs.")] = None,
    all_finished: Annotated[bool, typer.Option("--all-finished", help="All that are over.")] = False,
) -> None:
    """Remove what a run left on a silo's host: checkpoints, models, references; never the ledger.

    Raises:
        ValueError: If neither a run nor --all-finished is given, or both.
    """
    from tailweave.simulation.deploy.kept_runs import forget as remove
    from tailweave.simulation.deploy.node_settings import load_node

    if (run is None) != all_finished:
        raise ValueError("forget takes the name of one run, or --all-finished")
    for one in remove(load_node(folder), run):
        _out.print(f"removed: {one.line()}", soft_wrap=True, markup=False)


@app.command(hidden=True)
def settings(folder: Folder) -> None:
    """Print what a start script needs."""
    from tailweave.simulation.deploy.launch import settings as assignments

    typer.echo(assignments(folder))


@app.command(hidden=True)
def executor(folder: Annotated[Path, typer.Argument(help="A silo's folder.")]) -> None:
    """Start a process for each task of the silo's SuperNode; it runs the installed app, and no other.

    Raises:
        VersionError: If Flower is another one than this was written for.
    """
    from tailweave.simulation.deploy.node_settings import load_node
    from tailweave.simulation.deploy.versions import VersionError, check_flower

    node = load_node(folder)
    check_flower()
    try:
        from tailweave.simulation.deploy.app_executor import execute
    except ImportError as error:  # there is no other way to go on: Flower's own executor runs what is sent
        raise VersionError(f"this Flower lacks what a silo's executor needs: {error}") from error
    execute(node)


@app.command(hidden=True)
def gate(folder: Folder) -> None:
    """Serve the Fleet API, and nothing else, on the open port."""
    from tailweave.server.gate.serve import serve_gate
    from tailweave.simulation.deploy.federation import gate_site

    serve_gate(gate_site(folder))
