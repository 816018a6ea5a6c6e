# SPDX-License-Identifier: Apache-2.0
"""``tailweave inspect``: propose the ``data`` of an experiment on a file, for its owner to read and paste."""

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    file: Annotated[Path, typer.Argument(help="A table: .csv, .tsv (also .gz), .parquet or .feather.")],
    label: Annotated[str | None, typer.Option(help="Column that holds the classes.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between cells, or tab; else guessed.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Before decimals, . or ,; else guessed.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="YAML file to write.")] = None,
) -> None:
    """Propose the data block for a table file, with what was noticed; it holds values of its rows.

    Raises:
        ValueError: If the file cannot be read, or the other exists or cannot be written.
    """
    from tailweave.clients.inspection.block import inspect_file
    from tailweave.protocols.whole_file import write_whole

    if out is not None and out.exists():
        raise ValueError(f"--out: {out} exists and is left alone; give another file")
    beside = Path() if out is None else out.parent
    block = inspect_file(file, label=label, delimiter=delimiter, decimal=decimal, beside=beside)
    if out is None:
        typer.echo(block, nl=False)
        return
    try:
        write_whole(out, block)
    except OSError as error:
        raise ValueError(f"--out: {out} cannot be written: {error.strerror or error}") from None
    typer.echo(f"written: {out}", err=True)
