# SPDX-License-Identifier: Apache-2.0
"""Columns of a table: cells to one number a row, and back; one contract, a file for kinds that are alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray
from pyarrow import compute, types

from tailweave.clients.data.cell_numbers import cell_numbers
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.columns.base import ColumnKind
from tailweave.protocols.kinds.implementing import implementation

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Cells of one column, as they stand in a file.

    Attributes:
        array: Text without white space around it, or values of the file's own type; shape (n,).
        decimal: Mark before the decimals of a number in text.
    """

    array: arrow.ChunkedArray
    decimal: str = "."

    @property
    def written(self) -> bool:
        """Whether cells are text."""
        return bool(types.is_string(self.array.type))

    def texts(self) -> arrow.ChunkedArray:
        """Return what would stand in a CSV; a whole number that is kept as a float has no point there."""
        kind = self.array.type
        if self.written:
            return self.array
        if types.is_floating(kind) or types.is_decimal(kind):
            numbers = compute.cast(self.array, arrow.float64())
            whole = compute.equal(numbers, compute.round(numbers))
            small = compute.less(compute.abs(numbers), 2.0**53)
            flat = compute.if_else(compute.and_kleene(whole, small), numbers, None)
            integers = compute.cast(compute.cast(flat, arrow.int64()), arrow.string())
            return compute.coalesce(integers, compute.cast(self.array, arrow.string()))
        return compute.cast(self.array, arrow.string())


@dataclass(frozen=True)
class Read:
    """A column as one number a row.

    Attributes:
        values: Shape (n,), in units of the column, or places of levels; 0 where there is none.
        lacks: Which cells are missing, shape (n,).
        bad: Which are not allowed, shape (n,).
    """

    values: Floats
    lacks: Bools
    bad: Bools


class Kind(Protocol):
    """What implements a kind of column."""

    def read(self, spec: ColumnKind, cells: Cells) -> tuple[Floats, Bools]:
        """Return the number of each cell, shape (n,), and which cells are none of this kind, shape (n,)."""
        ...

    def written(self, spec: ColumnKind, values: Floats) -> arrow.Array:
        """Return cells of the column's own type for numbers of it, shape (n,)."""
        ...

    def texts(self, spec: ColumnKind, cells: arrow.Array) -> arrow.Array:
        """Return what ``written`` gave as text that ``read`` reads; null stays null."""
        ...

    def allowed(self, spec: ColumnKind) -> str:
        """Say what a cell may hold."""
        ...


def read_column(spec: ColumnKind, cells: Cells, missing: tuple[str, ...]) -> Read:
    """Read one column.

    Args:
        spec: What it is.
        cells: Its cells.
        missing: What means missing in every column where cells may be.

    Returns:
        Its numbers; a cell beyond the bounds is bad as well, and so is a missing one where none may be.
    """
    if not _is_flat(cells.array.type):
        return Read(np.zeros(len(cells.array)), _none(cells), ~_none(cells))
    lacks = _lacking(cells, (*missing, *spec.lacking) if spec.may_lack else (), numeric=spec.numeric)
    values, bad = _kind(spec).read(spec, cells)
    axis = spec.axis
    if axis is not None:
        with np.errstate(invalid="ignore"):
            bad = bad | ~((values >= axis.low) & (values <= axis.high))
    if not spec.may_lack:
        return Read(np.where(bad | lacks, 0.0, values), np.zeros_like(lacks), bad | lacks)
    return Read(np.where(bad | lacks, 0.0, values), lacks, bad & ~lacks)


def written_column(spec: ColumnKind, values: Floats, lacks: Bools) -> arrow.Array:
    """Return cells of a column: what ``read_column`` was given, in the column's own type."""
    cells = _kind(spec).written(spec, values)
    return (
        compute.if_else(arrow.array(lacks), arrow.scalar(None, cells.type), cells) if lacks.any() else cells
    )


def as_texts(spec: ColumnKind, cells: arrow.Array, missing: str) -> arrow.Array:
    """Return cells as ``written_column`` gave them as text for a CSV, ``missing`` where one is null."""
    return compute.fill_null(_kind(spec).texts(spec, cells), missing)


def table_as_texts(
    table: arrow.Table, kinds: Mapping[str, ColumnKind], missing: Sequence[str]
) -> arrow.Table:
    """Return declared columns as text that a CSV of the same declarations holds.

    Args:
        table: Columns in the types of their kinds.
        kinds: The kind of each.
        missing: Cells that mean missing in every column where they may be; a column's own come first.

    Returns:
        The same names, all of text.
    """
    return arrow.table(
        {
            name: as_texts(kinds[name], table[name], next(iter((*kinds[name].lacking, *missing)), ""))
            for name in table.column_names
        }
    )


def allowed_in(spec: ColumnKind) -> str:
    """Say what a cell of a column may hold, for a message."""
    said = _kind(spec).allowed(spec)
    return f"{said}, or missing" if spec.may_lack else said


def _kind(spec: ColumnKind) -> Kind:
    kind: Kind = implementation(spec, spec.kind, __package__)
    return kind


def _is_flat(kind: arrow.DataType) -> bool:
    """Tell whether cells are single values; a list or bytes are nothing that a column may hold."""
    flat = (types.is_string, types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return any(fits(kind) for fits in (*flat, types.is_date, types.is_timestamp, types.is_null))


def _none(cells: Cells) -> Bools:
    return np.zeros(len(cells.array), dtype=np.bool_)


def _lacking(cells: Cells, texts: tuple[str, ...], *, numeric: bool) -> Bools:
    """Tell which cells are missing: null, no number in a column of floats, or one of these texts.

    In a column of numbers -999 means -999.0 too, however a file writes it.
    """
    array = cells.array
    empty = compute.is_null(array, nan_is_null=True)
    if types.is_integer(array.type) or types.is_floating(array.type) or types.is_decimal(array.type):
        numbers = compute.cast(array, arrow.float64()).fill_null(np.nan).to_numpy()
        return _true(empty) | np.isin(numbers, _numbers(texts))
    if types.is_temporal(array.type) or types.is_boolean(array.type):
        return _true(empty)
    found = _true(empty) | _true(compute.is_in(cells.texts(), arrow.array(texts, arrow.string())))
    if numeric and cells.written and len(named := _numbers(texts)):
        found |= np.isin(cell_numbers(array, decimal=cells.decimal).values, named)
    return found


def _numbers(texts: tuple[str, ...]) -> Floats:
    found = cell_numbers(arrow.chunked_array([arrow.array(texts, arrow.string())]))
    return found.values[~found.bad]


def _true(flags: arrow.ChunkedArray) -> Bools:
    found: Bools = np.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), dtype=np.bool_)
    return found
