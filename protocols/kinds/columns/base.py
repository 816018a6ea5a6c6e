# SPDX-License-Identifier: Apache-2.0
"""What every kind of column says of itself, and in which form it is encoded.

A column of a table is one number a row (a length, a day, which of its levels it is) or nothing where a cell
is missing. It is encoded in one of two forms: on an ``Axis``, or as a column for each of its levels.
"""

import datetime as dt
import math
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tailweave.protocols.config.base import Spec

MISSING = ":missing"
"""End of the name of the encoded column that says that a cell is missing."""
FARTHEST = 1e50
"""Bound on an encoded number: its square, summed over all rows, is still far from what float64 can hold."""


def as_text(raw: object) -> object:
    """Return a plain value of YAML as the text that a file holds for it."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, int | float):
        return repr(raw)
    if isinstance(raw, str):
        return raw.strip()
    return raw.isoformat() if isinstance(raw, dt.date) else raw


Cell = Annotated[str, BeforeValidator(as_text), Field(max_length=200)]
"""What a cell of a file may hold, without spaces around it."""
Value = Annotated[Cell, Field(min_length=1)]


class Axis(NamedTuple):
    """A column that is encoded as one number, (x - center) / scale.

    Attributes:
        center: Public, in units of the column.
        scale: Public and positive, in the same units.
        low: Least allowed x.
        high: Largest allowed x.
        whole: Whether x is a whole number.
    """

    center: float
    scale: float
    low: float = -math.inf
    high: float = math.inf
    whole: bool = False


class ColumnKind(Spec):
    """What one column of a table is; the docstring's first paragraph stands in ``tailweave list``.

    ``implemented_in`` names the file in ``clients/columns`` that reads and writes it, if it is not the kind's
    own name. ``feature`` says that it is part of a sample. ``numeric`` says that cells are numbers: -999 and
    -999.0 are the same. ``own`` names options that say how one file is written: silos may differ in them.
    """

    kind: str
    implemented_in: ClassVar[str | None] = None
    feature: ClassVar[bool] = True
    beside: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    own: ClassVar[tuple[str, ...]] = ("missing", "format")

    @property
    def may_lack(self) -> bool:
        """Whether a cell may be missing."""
        return False

    @property
    def lacking(self) -> tuple[str, ...]:
        """Cells that mean missing in this column, besides those of all."""
        return ()

    @property
    def axis(self) -> Axis | None:
        """Where its numbers lie; None where it is encoded by levels."""
        return None

    @property
    def level_names(self) -> tuple[str, ...]:
        """Its levels, where it is encoded by them; a column's number is the place of its level."""
        return ()

    @property
    def all_levels(self) -> tuple[str, ...]:
        """Every level as text, also where they are steps on an axis; none of a number."""
        return self.level_names

    def encoded(self, name: str) -> tuple[str, ...]:
        """Return the names of the encoded columns of a column."""
        if not self.feature:
            return ()
        values = (name,) if self.axis is not None else tuple(f"{name}={level}" for level in self.level_names)
        return (*values, f"{name}{MISSING}") if self.may_lack else values

    def agreed(self) -> Any:  # noqa: ANN401 - as JSON has it
        """Return the options in which all silos of a federation must be alike."""
        return self.model_dump(mode="json", exclude=set(self.own))

    @model_serializer(mode="wrap")
    def _brief(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any] | str:
        """Leave out what is as by default: a wide table has thousands of columns."""
        fields = type(self).model_fields
        given = handler(self).items()
        options = {k: value for k, value in given if k != "kind" and getattr(self, k) != fields[k].default}
        return {"kind": self.kind, **options} if options else self.kind


class OptionalColumn(ColumnKind):
    """A column in which cells may be missing; no kind of its own."""

    optional: bool = False
    missing: tuple[Cell, ...] = ()

    @property
    def may_lack(self) -> bool:
        """As given."""
        return self.optional

    @property
    def lacking(self) -> tuple[str, ...]:
        """As given."""
        return self.missing

    @model_validator(mode="after")
    def _missing_is_allowed(self) -> Self:
        if self.missing and not self.optional:
            raise ValueError("missing needs optional: true, which allows missing cells")
        clash = [level for level in self.level_names if level in self.missing]
        if clash:
            raise ValueError(f"{clash[0]!r} is a value and in missing: a cell cannot be both")
        return self


def unit_of(low: float | None, high: float | None) -> tuple[float, float]:
    """Return centre and scale that go with bounds: the middle, and the spread of what is uniform there.

    Without two different bounds these are 0 and 1.
    """
    if low is None or high is None or low == high:
        return low if low is not None and low == high else 0.0, 1.0
    return low + (high - low) / 2.0, (high - low) / math.sqrt(12.0)
