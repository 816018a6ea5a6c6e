# SPDX-License-Identifier: Apache-2.0
"""The ``data`` of an experiment on a file, as YAML to paste, with what was noticed."""

import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tailweave.clients.data.classes import natural
from tailweave.clients.data.frames import frame_table
from tailweave.clients.data.label_column import check_label_type
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.raw_table import PLAIN, Form, existing, is_csv, read_raw
from tailweave.clients.inspection.column import propose
from tailweave.clients.inspection.marks import marks_of
from tailweave.clients.inspection.proposal import Proposal, written
from tailweave.clients.samples import DataError
from tailweave.protocols.kinds.sources.table import source_of

if TYPE_CHECKING:
    import pyarrow

_WIDE = 1000
"""Columns from which on only centre and scale of a number are proposed: YAML of so many is read slowly."""
_CLASSES, _NOTED_CLASSES = 20, 50
_NOTES = (
    "Bounds are rounded outwards and units to one or two digits, yet they are made of these rows, and so are",
    "the values. In a federation all silos share this block: put what is known of each quantity instead.",
)


def inspect_file(
    path: str | Path,
    *,
    label: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    beside: Path = Path(),
) -> str:
    """Propose the ``data`` of an experiment on a file.

    Nothing leaves the machine; the text is for the owner of the rows, as it holds values of them.

    Args:
        path: As for ``read_raw``.
        label: Name of the column that holds the classes, if any.
        delimiter: What parts cells of a CSV; None guesses.
        decimal: The mark before decimals in a CSV; None guesses.
        beside: Folder of the experiment, from which its relative paths are taken.

    Returns:
        YAML with comments.

    Raises:
        DataError: If the file cannot be read, or has no such label.
    """
    found = existing(path)
    try:
        form = marks_of(found, delimiter=_tab(delimiter), decimal=decimal) if is_csv(found) else PLAIN
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    table = read_raw(found, delimiter=form.delimiter, decimal=form.decimal)
    head = [f"  source: {source_of(found)}", f"  path: {written(_from(path, beside))}", *_written_form(form)]
    return _block(table, label, str(path), head, form.decimal)


def inspect_frame(frame: object, *, label: str | None = None) -> str:
    """Propose ``label`` and ``columns`` for a data frame, as ``inspect_file`` does for a file.

    Raises:
        DataError: If it cannot be read, or has no such label.
    """
    called = type(frame).__name__
    return _block(frame_table(frame, called), label, called, [], PLAIN.decimal)


def _block(table: "pyarrow.Table", label: str | None, called: str, head: Sequence[str], decimal: str) -> str:
    if not len(table):
        raise DataError(f"{called}: there are no rows")
    if label is not None and label not in table.column_names:
        raise DataError(f"{called}: {unknown_name('column', label, table.column_names)}")
    names = [name for name in table.column_names if name != label]
    with ThreadPoolExecutor() as threads:  # what is slow, pyarrow and NumPy do without Python's lock
        proposed = threads.map(lambda name: propose(name, table.column(name), decimal=decimal), names)
        columns = dict(zip(names, proposed, strict=True))
    if len(names) >= _WIDE:
        columns = {name: _brief(proposal) for name, proposal in columns.items()}
    lines = [f"# {Path(called).name}: {len(table)} rows, {table.num_columns} columns"]
    lines += [*(f"# {line}" for line in _NOTES), "data:", *head]
    if label is not None:
        lines.append(f"  label: {written(label)}{_classes(called, label, table.column(label))}")
    else:
        lines += _guessed(columns)
    lines += ["  columns:", *(f"    {proposal.line(name)}" for name, proposal in columns.items())]
    return "\n".join(lines) + "\n"


def _tab(delimiter: str | None) -> str | None:
    return "\t" if delimiter == "tab" else delimiter


def _from(path: str | Path, folder: Path) -> str:
    """Return a path as it is, or, if it is a relative one, from another folder."""
    told = str(path)
    return told if told.startswith("~") or Path(told).is_absolute() else os.path.relpath(told, folder)


def _written_form(form: Form) -> Iterator[str]:
    if form.delimiter != PLAIN.delimiter:
        yield f"  delimiter: {'tab' if form.delimiter == chr(9) else written(form.delimiter)}"
    if form.decimal != PLAIN.decimal:
        yield f"  decimal: {written(form.decimal)}"


def _brief(proposal: Proposal) -> Proposal:
    """Leave out the bounds of what has a scale of its own."""
    bounded = ("min", "max") if "scale" in proposal.spec else ()
    return replace(proposal, spec={key: x for key, x in proposal.spec.items() if key not in bounded})


def _guessed(columns: Mapping[str, Proposal]) -> Iterator[str]:
    """Propose the last column of levels for a label, as a comment."""
    of_levels = [name for name, proposal in columns.items() if proposal.kind in ("category", "boolean")]
    for name in of_levels[-1:]:
        yield f"  # label: {written(name)}  # if rows are classed by it; then it has no entry below"


def _classes(called: str, label: str, column: "pyarrow.ChunkedArray") -> str:
    """Return a comment on the classes and their sizes."""
    check_label_type(called, label, column.type)
    sizes = Counter("" if cell is None else str(cell) for cell in column.to_pylist())
    lacking = sizes.pop("", 0)
    told = [f"{name[:40]} {sizes[name]}" for name in sorted(sizes, key=natural)[:_CLASSES]]
    more = f" and {len(sizes) - _CLASSES} more" if len(sizes) > _CLASSES else ""
    single = sum(size == 1 for size in sizes.values())
    notes = [f"{len(sizes)} classes: {', '.join(told)}{more}"]
    if lacking:
        notes.append(f"{lacking} rows have no label: leave them out of the file")
    if len(sizes) > _NOTED_CLASSES:
        notes.append("so many classes: is it an ID or a number?")
    if single:
        notes.append(f"{single} with a single row")
    return f"  # {' '.join('; '.join(notes).split())}"
