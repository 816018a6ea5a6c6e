# SPDX-License-Identifier: Apache-2.0
"""Columns of which each cell is one of a few values."""

from collections import Counter
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.columns.base import Axis, OptionalColumn, Value, unit_of

MOST_LEVELS = 10_000
NO_YES = ("false", "true")


class Category(OptionalColumn):
    """One of ``values``, or of the whole numbers below ``levels``; ``ordered`` ones are steps of one column.

    Each level has a column of its own, in which a sample's own level has 1 / sqrt(2), so that two levels are
    at distance 1. A missing cell is one level more.
    """

    kind: Literal["category"]
    values: Annotated[tuple[Value, ...], Field(min_length=1, max_length=MOST_LEVELS)] | None = None
    levels: Annotated[int, Field(ge=1, le=MOST_LEVELS)] | None = None
    ordered: bool = False
    implemented_in: ClassVar = "levels"

    @property
    def all_levels(self) -> tuple[str, ...]:
        """Every value, as text, also of an ordered one."""
        return self.values or tuple(map(str, range(self.levels or 0)))

    @property
    def level_names(self) -> tuple[str, ...]:
        """All, if they are not ordered."""
        return () if self.ordered else self.all_levels

    @property
    def axis(self) -> Axis | None:
        """The steps of an ordered one."""
        if not self.ordered:
            return None
        last = float(len(self.all_levels) - 1)
        return Axis(*unit_of(0.0, last), 0.0, last, whole=True)

    @model_validator(mode="after")
    def _levels_are_known(self) -> Self:
        if (self.values is None) == (self.levels is None):
            raise ValueError(
                "a category needs either values: [...], or levels: N for whole numbers 0 to N - 1"
            )
        twice = [value for value, times in Counter(self.all_levels).items() if times > 1]
        if twice:
            raise ValueError(f"values must differ, found twice: {', '.join(twice)}")
        if self.optional and "missing" in self.all_levels:
            raise ValueError("an optional category has a level missing of its own: call the value otherwise")
        if set(self.all_levels) & set(self.missing):
            raise ValueError(f"missing must be none of its values, got {', '.join(self.missing)}")
        return self


class Boolean(OptionalColumn):
    """No or yes: true/false, yes/no, t/f, y/n or 1/0, or the two ``values`` given, no first.

    As a category of two levels.
    """

    kind: Literal["boolean"]
    values: tuple[Value, Value] | None = None
    implemented_in: ClassVar = "levels"

    @property
    def level_names(self) -> tuple[str, ...]:
        """No and yes."""
        return self.values or NO_YES

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        if self.values is not None and self.values[0] == self.values[1]:
            raise ValueError(f"values must differ, got {self.values[0]!r} twice")
        return self
