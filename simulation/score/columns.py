# SPDX-License-Identifier: Apache-2.0
"""What the columns of two tables are: as declared, or as their cells look like on both sides."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.columns import Columns
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.spec_file import read_mapping, validated
from tailweave.protocols.kinds.columns.base import Cell, ColumnKind
from tailweave.protocols.kinds.columns.beside import Ignore
from tailweave.protocols.kinds.columns.days import Date, Datetime
from tailweave.protocols.kinds.columns.levels import Boolean, Category
from tailweave.protocols.kinds.columns.numbers import Number
from tailweave.simulation.score.groups import spread_of

if TYPE_CHECKING:
    import pyarrow

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?")
"""Cells that mean missing where nothing is declared."""
MOST_LEVELS = 50
"""Different texts from which on a column that is not declared is no category."""
_ROWS_A_LEVEL = 5
"""Rows that each text must stand for on average, or it tells rows apart rather than groups."""


class Declared(Spec):
    """What is declared of both tables; null columns are told from their cells."""

    columns: Columns | None = None
    missing: tuple[Cell, ...] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=3)] = ","
    decimal: Literal[".", ","] = "."
    label: str | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """Cells that mean missing."""
        if self.missing is not None:
            return self.missing
        return MISSING if self.columns is None else ("",)


def declared(given: str | Path | Mapping[str, Any] | None) -> Declared:
    """Read a declaration: a block ``data`` of an experiment, one with ``columns``, or the columns alone.

    Args:
        given: A YAML file, or its keys; None where nothing is declared. A block ``data`` needs no columns,
            where it only says how a CSV is written.

    Raises:
        ConfigError: If the file cannot be read, or a key, type or range is wrong.
    """
    if given is None:
        return Declared()
    called = "columns" if isinstance(given, Mapping) else str(given)
    raw = dict(given) if isinstance(given, Mapping) else read_mapping(Path(given), "must be")
    block = raw["data"] if isinstance(raw.get("data"), dict) else raw
    if block is raw and not isinstance(block.get("columns"), dict):
        return validated({"columns": block}, Declared, called)
    known = {field.alias or name for name, field in Declared.model_fields.items()}
    return validated({key: block[key] for key in known & set(block)}, Declared, called)


def told_from_cells(
    real: "pyarrow.Table", synthetic: "pyarrow.Table", label: str | None
) -> tuple[dict[str, ColumnKind], list[str]]:
    """Tell what each column is from the cells of both sides.

    Numbers are compared in the spread of the real rows. Text of few values is a category; other text is left
    out.

    Returns:
        Columns by name, and what was left out.

    Raises:
        ConfigError: If columns are numbers on one side and none on the other.
    """
    found: dict[str, ColumnKind] = {}
    unlike = []
    for name in real.column_names:
        if name != label:
            kinds = [_looks(table.column(name)) for table in (real, synthetic)]
            if kinds in ([_NUMBERS, _TEXT], [_NUMBERS, _DAYS], [_NUMBERS, _MOMENTS]):
                unlike.append(f"{name!r} ({kinds[0]} in the real rows, {kinds[1]} in the synthetic)")
                continue
            found[name] = _kind(name, real, synthetic, kinds)
    if unlike:
        raise ConfigError(
            f"columns are not alike on both sides: {', '.join(unlike)}; declare them, or ignore"
        )
    left = [name for name, kind in found.items() if not kind.feature]
    notes = [f"text of too many values, left out: {', '.join(left)}"] if left else []
    return found, notes


_NUMBERS, _TEXT, _FLAGS, _DAYS, _MOMENTS = "numbers", "text", "yes or no", "dates", "moments"


def _looks(column: "pyarrow.ChunkedArray") -> str:
    from pyarrow import types

    from tailweave.clients.data.cell_numbers import cell_numbers

    if types.is_boolean(column.type):
        return _FLAGS
    if types.is_temporal(column.type):
        return _DAYS if types.is_date(column.type) else _MOMENTS
    there = _present(column)
    return _NUMBERS if len(there) and not cell_numbers(there).bad.any() else _TEXT


def _present(column: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Return the cells that are not missing."""
    import pyarrow
    from pyarrow import compute, types

    there = column.filter(compute.invert(compute.is_null(column, nan_is_null=True)))
    if not types.is_string(there.type):
        return there
    return there.filter(compute.invert(compute.is_in(there, pyarrow.array(MISSING))))


def _kind(name: str, real: "pyarrow.Table", synthetic: "pyarrow.Table", kinds: list[str]) -> ColumnKind:
    from tailweave.clients.data.cell_numbers import cell_numbers

    sides = [_present(table.column(name)) for table in (real, synthetic)]
    rows = len(real) + len(synthetic)
    optional = sum(map(len, sides)) < rows
    if kinds == [_NUMBERS, _NUMBERS]:
        center, scale = spread_of(cell_numbers(sides[0]).values[:, None])
        return Number(kind="number", center=float(center[0]), scale=float(scale[0]) or 1.0, optional=optional)
    if _FLAGS in kinds:  # the other side may be a file of text, or of 0 and 1
        return Boolean(kind="boolean", optional=optional)
    if _MOMENTS in kinds:
        return Datetime(kind="datetime", optional=optional)
    if _DAYS in kinds:
        return Date(kind="date", optional=optional)
    levels = sorted(set(_texts(sides)))
    if not levels or len(levels) > min(MOST_LEVELS, max(2, rows // _ROWS_A_LEVEL)):
        return Ignore(kind="ignore")
    return Category(kind="category", values=tuple(levels), optional=optional)


def _texts(sides: list["pyarrow.ChunkedArray"]) -> Iterator[str]:
    from tailweave.clients.columns import Cells

    for side in sides:
        yield from Cells(side).texts().unique().to_pylist()


def same_names(real: "pyarrow.Table", synthetic: "pyarrow.Table", label: str | None) -> None:
    """Refuse tables whose columns differ.

    Raises:
        ConfigError: Naming all columns that one side alone has, and a label that neither has.
    """
    one, other = real.column_names, synthetic.column_names
    for side, names in (("real", one), ("synthetic", other)):
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"column names must differ, found twice in the {side} rows: {', '.join(twice)}")
    if label is not None and (label in one) != (label in other):
        raise ConfigError(f"label {label!r} is in the {'real' if label in one else 'synthetic'} rows alone")
    if label is not None and label not in one:
        raise ConfigError(f"label: there is no column {label!r}; there are: {', '.join(one)}")
    alone = {"real": [n for n in one if n not in other], "synthetic": [n for n in other if n not in one]}
    said = [f"the {side} rows alone have {', '.join(names)}" for side, names in alone.items() if names]
    if said:
        raise ConfigError(f"both sides must have the same columns, but {'; '.join(said)}")


def rows_that_lack(bad: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    """Say how many cells are not allowed, and where the first is."""
    count = int(bad.sum())
    return f"{count:,} cell{'s' if count > 1 else ''}, the first in row {int(np.argmax(bad))}"
