# SPDX-License-Identifier: Apache-2.0
"""What the columns of a table seem to be, in a file or in a data frame."""

from os import PathLike
from pathlib import Path

from tailweave.clients.data.frames import is_frame
from tailweave.clients.inspection.block import inspect_file, inspect_frame


def inspect(
    table: object, *, label: str | None = None, delimiter: str | None = None, decimal: str | None = None
) -> str:
    """Propose the ``data`` of an experiment on a table, with what was noticed.

    Args:
        table: A file (.csv, .csv.gz, .tsv, .parquet, .feather), or a data frame of any library.
        label: Name of the column that holds the classes, if any.
        delimiter: What parts the cells of a CSV, or ``tab``; by default it is guessed.
        decimal: The mark before decimals in a CSV, ``.`` or ``,``; by default it is guessed.

    Returns:
        YAML with comments, for the owner of the rows: it holds values of them.

    Raises:
        ValueError: If it cannot be read, or has no such label.
    """
    if isinstance(table, str | PathLike):
        return inspect_file(Path(table), label=label, delimiter=delimiter, decimal=decimal)
    if is_frame(table):
        return inspect_frame(table, label=label)
    raise ValueError(f"table must be a path or a data frame, got {type(table).__name__}")
