# SPDX-License-Identifier: Apache-2.0
"""``tailweave export``: synthetic rows of a finished run, in the columns, units and types of its data."""

from pathlib import Path
from typing import Annotated

import typer


def export(  # noqa: PLR0913 - typer: one parameter an option
    source: Annotated[Path, typer.Argument(help="Finished run folder, or a silo's folder on its own host.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File: .csv, .csv.gz, .parquet, .feather, .npz, .jsonl; or a folder of images or documents.",
        ),
    ],
    arm: Annotated[str | None, typer.Option(help="Whose model.")] = None,
    silo: Annotated[str | None, typer.Option(help="On which silo.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of which seed; default the run's first.")] = None,
    rows: Annotated[int, typer.Option(help="How many are drawn.")] = 10_000,
    draw_seed: Annotated[int, typer.Option(help="Seed of the draw: the same gives the same file.")] = 0,
    selected: Annotated[
        bool, typer.Option("--selected", help="Those selected for the last generation instead.")
    ] = False,
    run: Annotated[str | None, typer.Option(help="In a silo's folder: which run.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write synthetic rows of a finished run, in the columns, units and types of its data."""
    from tailweave.simulation.export import Wanted
    from tailweave.simulation.export import export as write

    wanted = Wanted(arm, silo, seed, run, rows, selected, draw_seed)
    typer.echo(write(source, wanted, out, force=force))
