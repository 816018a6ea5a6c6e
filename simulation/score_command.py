# SPDX-License-Identifier: Apache-2.0
"""``tailweave score``: the tail check for anybody's synthetic data."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def score(  # noqa: PLR0913 - typer: one parameter an option
    real: Annotated[Path, typer.Option(help="Real rows: a table, an .npz, .jsonl, or a folder.")],
    synthetic: Annotated[Path, typer.Option(help="Synthetic rows, the same kind of thing.")],
    columns: Annotated[
        Path | None, typer.Option(help="YAML that says what the columns are, as data.columns does.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column, array or key of the classes.")] = None,
    alpha: Annotated[float, typer.Option(help="False-alarm rate of all groups together.")] = 0.05,
    json: Annotated[Path | None, typer.Option(help="Write all figures as JSON.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write an HTML page that works offline.")] = None,
    fail_on_loss: Annotated[bool, typer.Option("--fail-on-loss", help="Exit 1 if a group is lost.")] = False,
) -> None:
    """Say which groups synthetic rows have lost, whoever made them.

    Raises:
        Exit: With code 1 if a group is lost and --fail-on-loss is given.
        ValueError: If a side cannot be read, the two do not fit, or there is no folder to write to.
    """
    from tailweave.simulation.score.score import score as judge
    from tailweave.simulation.score.sides import sides

    for name, path in (("--json", json), ("--page", page)):
        if path is not None and not path.parent.is_dir():
            raise ValueError(f"{name}: there is no folder {path.parent}")
    given = sides(real, synthetic, columns, label)
    found = judge(given, alpha)
    Console(highlight=False, markup=False, emoji=False).print(found)
    if json is not None:
        found.write_json(json)
    if page is not None:
        found.write_page(page)
    if fail_on_loss and found.lost:
        raise typer.Exit(1)
