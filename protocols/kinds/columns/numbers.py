# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.columns.base import FARTHEST, Axis, OptionalColumn, unit_of

Bound = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""What float64 tells from its neighbours."""
Scale = Annotated[float, Field(ge=1.0 / FARTHEST, le=FARTHEST)]


class _Measured(OptionalColumn):
    center: Bound | None = None
    scale: Scale | None = None
    unit: Annotated[str, Field(max_length=100)] | None = None
    implemented_in: ClassVar = "numbers"
    numeric: ClassVar = True

    def _on(self, low: float | None, high: float | None, *, whole: bool) -> Axis:
        center, scale = unit_of(low, high)
        return Axis(
            center if self.center is None else self.center,
            scale if self.scale is None else self.scale,
            -math.inf if low is None else low,
            math.inf if high is None else high,
            whole,
        )


def _ordered(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ValueError(f"min must be at most max, got {low:g} and {high:g}")


class Number(_Measured):
    """Numbers, between ``min`` and ``max`` if given; compared as (x - ``center``) / ``scale``.

    By default these are the middle between the bounds and the spread of what is uniform there; 0 and 1
    without bounds.
    """

    kind: Literal["number"]
    min: Bound | None = None
    max: Bound | None = None

    @property
    def axis(self) -> Axis:
        """As given."""
        return self._on(self.min, self.max, whole=False)

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        _ordered(self.min, self.max)
        return self


class Integer(_Measured):
    """Whole numbers; options as of ``number``, and what is generated is rounded."""

    kind: Literal["integer"]
    min: Whole | None = None
    max: Whole | None = None

    @property
    def axis(self) -> Axis:
        """As given."""
        return self._on(self.min, self.max, whole=True)

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        _ordered(self.min, self.max)
        return self
