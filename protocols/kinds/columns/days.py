# SPDX-License-Identifier: Apache-2.0
"""Columns of dates, and of dates with a time."""

import datetime as dt
import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tailweave.protocols.kinds.columns.base import Axis, OptionalColumn, unit_of
from tailweave.protocols.kinds.columns.numbers import Scale

EPOCH = dt.datetime(1970, 1, 1)
DAY = dt.timedelta(days=1)
_CENTER, _SCALE = 10_957.0, 3_652.5
"""Of dates without bounds: 1 January 2000, and ten years."""


def _moment(raw: object) -> object:
    """Read what YAML made of a date, or left as text; pydantic would take numbers for seconds."""
    if isinstance(raw, dt.datetime):
        return raw if raw.tzinfo is None else raw.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(raw, dt.date):
        return dt.datetime(raw.year, raw.month, raw.day)
    try:
        return _moment(dt.datetime.fromisoformat(raw)) if isinstance(raw, str) else math.nan
    except ValueError:
        raise ValueError(f"must be a date as YYYY-MM-DD, or with HH:MM:SS, got {raw!r}") from None


Moment = Annotated[dt.datetime, BeforeValidator(_moment)]


def days_of(moment: dt.datetime) -> float:
    """Return the days from 1 January 1970 to a moment in UTC."""
    return (moment - EPOCH) / DAY


class _Dated(OptionalColumn):
    min: Moment | None = None
    max: Moment | None = None
    center: Moment | None = None
    scale: Scale | None = None
    format: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    implemented_in: ClassVar = "days"
    whole: ClassVar[bool] = True

    @property
    def axis(self) -> Axis:
        """In days since 1970; by default about the middle of the bounds, or 2000, in units of ten years."""
        low, high = (None if end is None else days_of(end) for end in (self.min, self.max))
        bounded = low is not None and high is not None
        center, scale = unit_of(low, high) if bounded else (_CENTER, _SCALE)
        return Axis(
            center if self.center is None else days_of(self.center),
            scale if self.scale is None else self.scale,
            -math.inf if low is None else low,
            math.inf if high is None else high,
            self.whole,
        )

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min must not be after max, got {self.min} and {self.max}")
        return self


class Date(_Dated):
    """Days, as ISO 8601 or in ``format`` (such as %d.%m.%Y); ``min``, ``max``, ``center`` are dates too.

    ``scale`` is in days. Without both bounds the centre is 2000-01-01 and the scale ten years.
    """

    kind: Literal["date"]

    @model_validator(mode="after")
    def _whole_days(self) -> Self:
        for name in ("min", "max"):
            end = getattr(self, name)
            if end is not None and end.time() != dt.time():
                raise ValueError(f"{name} must be a day without a time, got {end}; kind datetime has times")
        return self


class Datetime(_Dated):
    """Moments to the millisecond, in UTC where they say their zone; options as of ``date``."""

    kind: Literal["datetime"]
    whole: ClassVar = False
