# SPDX-License-Identifier: Apache-2.0
r"""The sort of tables whose columns are declared: what a row is in numbers, and back.

The encoding is public and reversible. A number stands as (x - centre) / scale, in units that the declaration
gives; a level of a category as 1 / sqrt(2) in its own column and 0 in the others of its block, so that two
levels are at distance 1; a missing number as its centre, with 1 in a column that says so; a missing category
as one level more. All that takes rows of numbers takes encoded rows: generators, feature maps, references,
selection, metrics and audit.

Privacy: The encoding is of each row alone, by public constants, so one row more or less is one encoded row
more or less: what is derived for rows of numbers holds, sensitivity included. A release clips features as it
does for any rows; how far apart an encoding lies changes nothing in that.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from tailweave.clients.sorts import Block, Coded, DataError, Numbers
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.columns import Columns, digest_of
from tailweave.protocols.kinds.columns.base import ColumnKind
from tailweave.protocols.sorts import SortName

if TYPE_CHECKING:
    import pyarrow

    from tailweave.clients.columns import Read
    from tailweave.clients.samples import Samples

Bools = NDArray[np.bool_]
UNIT = 1.0 / math.sqrt(2.0)
"""What stands in the column of a row's own level."""


class Level(NamedTuple):
    """One column of a block.

    Attributes:
        column: Name of the column in the file.
        level: The level as text, or ``missing``.
        place: Which encoded column it is.
    """

    column: str
    level: str
    place: int


class _Axes(NamedTuple):
    """All numeric columns side by side, each (q,); ``flag`` is the place of what says missing, or -1."""

    place: NDArray[np.intp]
    flag: NDArray[np.intp]
    center: Floats
    scale: Floats
    low: Floats
    high: Floats
    whole: Bools


@dataclass(frozen=True)
class Table(Numbers):
    """The sort of encoded rows of a table with declared columns.

    Attributes:
        declared: What each column is, by name, in the order of the block; those that are part of a sample.
        label: What the label column is called, if there is one.
        missing: Cells that mean missing in every column where they may be.
    """

    name: ClassVar[SortName] = "table"
    declared: tuple[tuple[str, ColumnKind], ...] = ()
    label: str | None = None
    missing: tuple[str, ...] = ("",)

    @classmethod
    def of(
        cls, features: Mapping[str, ColumnKind], label: str | None = None, missing: tuple[str, ...] = ("",)
    ) -> Self:
        """Return the sort of a block's columns that are part of a sample."""
        encoded = tuple(part for name, spec in features.items() for part in spec.encoded(name))
        return cls(encoded, declared=tuple(features.items()), label=label, missing=missing)

    def anonymous(self) -> Self:
        """Return the same: its names are public, and silos have agreed on them."""
        return self

    @property
    def plain(self) -> bool:
        """What its numbers mean is known."""
        return False

    def __str__(self) -> str:
        """Say what samples are."""
        return f"a table of {len(self.declared)} declared columns"

    @cached_property
    def digest(self) -> str:
        """Digest of what a federation agrees on."""
        return digest_of(dict(self.declared))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """The first encoded column of each column."""
        widths = [len(spec.encoded(name)) for name, spec in self.declared]
        return tuple(np.cumsum([0, *widths[:-1]]).tolist())

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """All columns of levels, those for missing cells included."""
        return tuple(
            Level(name, (*spec.level_names, "missing")[at], start + at)
            for start, (name, spec) in zip(self._starts, self.declared, strict=True)
            if spec.axis is None
            for at in range(len(spec.encoded(name)))
        )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The levels of each category, and for each number that may be missing whether it is."""
        found = []
        for start, (name, spec) in zip(self._starts, self.declared, strict=True):
            width = len(spec.encoded(name))
            if spec.axis is None:
                found.append(Block(start, start + width, UNIT, True))
            elif spec.may_lack:
                found.append(Block(start + 1, start + 2, 1.0, False))
        return tuple(found)

    @cached_property
    def _axes(self) -> _Axes:
        found = [
            (start, start + 1 if spec.may_lack else -1, *spec.axis)
            for start, (_, spec) in zip(self._starts, self.declared, strict=True)
            if spec.axis is not None
        ]
        place, flag, center, scale, low, high, whole = zip(*found, strict=True) if found else ((),) * 7
        return _Axes(
            np.array(place, dtype=np.intp),
            np.array(flag, dtype=np.intp),
            np.array(center, dtype=np.float64),
            np.array(scale, dtype=np.float64),
            np.array(low, dtype=np.float64),
            np.array(high, dtype=np.float64),
            np.array(whole, dtype=np.bool_),
        )

    def checked(self, values: ArrayLike) -> Floats:
        """Return values (n, p) as valid rows, as ``settled`` does; raises ``DataError`` as for numbers.

        So all that a generator draws is valid, whichever it is.
        """
        return self.settled(super().checked(values))

    def settled(self, values: Floats) -> Floats:
        """Return the nearest valid rows: one level each, whole numbers, within bounds, missing or not.

        Args:
            values: Shape (n, p), encoded and finite.

        Returns:
            Shape (n, p); valid rows are returned bit by bit as they are. Of equally near levels the first.
        """
        found = np.array(values, dtype=np.float64)
        for block in self.blocks:
            part = found[:, block.start : block.stop]
            if block.whole:
                own = part.argmax(axis=1)
                part[:] = 0.0
                part[np.arange(len(part)), own] = block.unit
            else:
                part[:] = part >= 0.5
        axes = self._axes
        coded = found[:, axes.place]
        inside = np.clip(coded, (axes.low - axes.center) / axes.scale, (axes.high - axes.center) / axes.scale)
        steps = (self._raw(coded) - axes.center) / axes.scale
        found[:, axes.place] = np.where(self._lacks(found), 0.0, np.where(axes.whole, steps, inside))
        return found

    def _raw(self, coded: Floats) -> Floats:
        """Return numeric columns (n, q) in units of the file: within bounds, whole where they are."""
        axes = self._axes
        raw = np.clip(coded * axes.scale + axes.center, axes.low, axes.high)
        return np.where(axes.whole, np.clip(np.rint(raw), np.ceil(axes.low), np.floor(axes.high)), raw)

    def _lacks(self, values: Floats) -> Bools:
        """Tell which numeric cells are missing, (n, q)."""
        axes = self._axes
        found: Bools = (axes.flag >= 0) & (values[:, axes.flag] >= 0.5)
        return found

    def encoded(self, columns: Sequence["Read"]) -> Floats:
        """Encode rows.

        Args:
            columns: Those of ``declared`` as they were read, each (n,), nothing bad among them.

        Returns:
            Shape (n, p).
        """
        found = np.zeros((len(columns[0].values), len(self.columns)))
        for start, (name, spec), column in zip(self._starts, self.declared, columns, strict=True):
            last = start + len(spec.encoded(name)) - 1
            axis = spec.axis
            if axis is None:
                place = np.where(column.lacks, last, start + column.values.astype(np.intp))
                found[np.arange(len(found)), place] = UNIT
                continue
            found[:, start] = np.where(column.lacks, 0.0, (column.values - axis.center) / axis.scale)
            if spec.may_lack:
                found[:, last] = column.lacks
        return found

    def parted(self, values: Floats) -> list[tuple[Floats, Bools]]:
        """Return one number a row for each of ``declared``, and which are missing: what was encoded.

        Args:
            values: Shape (n, p), encoded and finite.

        Returns:
            Numbers in units of the file, or places of levels, 0 for a missing one; and flags; each (n,).
        """
        values = self.settled(values)
        raw, lacks = self._raw(values[:, self._axes.place]).T, self._lacks(values).T
        found, axes = [], iter(zip(raw, lacks, strict=True))
        for start, (name, spec) in zip(self._starts, self.declared, strict=True):
            if spec.axis is not None:
                found.append(next(axes))
                continue
            own = values[:, start : start + len(spec.encoded(name))].argmax(axis=1)
            lacking = own == len(spec.level_names)
            found.append((np.where(lacking, 0, own).astype(np.float64), lacking))
        return found

    def decoded(self, samples: "Samples") -> "pyarrow.Table":
        """Return rows in the columns and types of the file, with their labels if they have some.

        Args:
            samples: Of this sort.

        Returns:
            n rows: numbers as 64-bit floats, whole ones as integers, levels as text (counted ones as
            integers), then truth values, dates and timestamps of milliseconds; nulls where cells are missing.
        """
        import pyarrow

        found = self.tabled(samples.values)
        if samples.labels is None:
            return found
        labels = pyarrow.array(samples.labels.tolist(), pyarrow.string())
        return found.append_column(self.label or "label", labels)

    def tabled(self, values: Floats) -> "pyarrow.Table":
        """Return rows (n, p) in the columns and types of the file, without labels; see ``decoded``."""
        import pyarrow

        from tailweave.clients.columns import written_column

        columns = zip(self.declared, self.parted(values), strict=True)
        return pyarrow.table({name: written_column(spec, *part) for (name, spec), part in columns})

    def worded(self, values: Floats) -> "pyarrow.Table":
        """Return rows (n, p) as ``tabled`` does, but as text that a CSV of the same declarations holds."""
        from tailweave.clients.columns import table_as_texts

        return table_as_texts(self.tabled(values), dict(self.declared), self.missing)

    def coded(self, values: Floats) -> Iterator[Coded]:
        """Yield categories, ordered ones too, and of other columns whether a cell is missing."""
        for (name, spec), (numbers, lacks) in zip(self.declared, self.parted(values), strict=True):
            levels = spec.all_levels or ("given",)
            named = (*levels, "missing") if spec.may_lack else levels
            codes = np.where(lacks, len(levels), numbers if spec.all_levels else 0)
            if len(named) > 1:
                yield Coded(name, codes.astype(np.int64), named)

    def stacked(self, values: Floats) -> Floats:
        """An array has one type, and a table's columns have several: raises ``DataError``."""
        raise DataError(f"{self} is written as .csv, .csv.gz, .parquet, .feather or .jsonl")

    def described(self) -> dict[str, Any]:
        """Return the declared columns, the label's name, and which cells mean missing."""
        columns = {name: spec.model_dump(mode="json", by_alias=True) for name, spec in self.declared}
        return {"columns": columns, "label": self.label, "missing": list(self.missing)}

    @classmethod
    def from_description(cls, parts: Mapping[str, Any]) -> Self:
        """Rebuild from the declared columns."""
        columns: dict[str, ColumnKind] = TypeAdapter(Columns).validate_python(parts["columns"])
        return cls.of(columns, parts["label"], tuple(parts["missing"]))
