# SPDX-License-Identifier: Apache-2.0
"""Columns of dates, and of dates with a time, as days since 1970."""

import datetime as dt
import math

import numpy as np
import pyarrow as arrow
from pyarrow import compute, types

from tailweave.clients.columns import Bools, Cells
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.columns.days import DAY, EPOCH, Date, Datetime, days_of
from tailweave.protocols.kinds.implementing import implements

_MS = 86_400_000
"""Milliseconds of a day."""
_FIRST, _LAST = days_of(dt.datetime.min), days_of(dt.datetime(9999, 12, 31))


@implements(Date, Datetime)
class DateColumn:
    """Reads and writes dates."""

    @staticmethod
    def read(spec: Date | Datetime, cells: Cells) -> tuple[Floats, Bools]:
        """Return days; text that is no date in the format is bad, and a time of day where days are asked."""
        if cells.written:
            values = _of_text(cells.array, spec.format)
        elif types.is_date(cells.array.type) or types.is_timestamp(cells.array.type):
            moments = compute.cast(cells.array, arrow.timestamp("ms"), safe=False)
            values = moments.cast(arrow.int64()).cast(arrow.float64()).fill_null(np.nan).to_numpy() / _MS
        else:
            values = np.full(len(cells.array), np.nan)
        bad = ~np.isfinite(values)
        return values, bad | (values != np.rint(values)) if spec.whole else bad

    @staticmethod
    def written(spec: Date | Datetime, values: Floats) -> arrow.Array:
        """Return dates, or moments to the millisecond; beyond the years 1 to 9999 the nearest within."""
        inside = np.clip(values, _FIRST, _LAST)
        if spec.whole:
            return arrow.array(np.rint(inside).astype(np.int32)).cast(arrow.date32())
        return arrow.array(np.rint(inside * _MS).astype(np.int64)).cast(arrow.timestamp("ms"))

    @staticmethod
    def texts(spec: Date | Datetime, cells: arrow.Array) -> arrow.Array:
        """Return dates in the declared format."""
        if spec.format is None:
            return cells.cast(arrow.string())
        said = [None if day is None else day.strftime(spec.format) for day in cells.to_pylist()]
        return arrow.array(said, arrow.string())

    @staticmethod
    def allowed(spec: Date | Datetime) -> str:
        """Say what may stand there."""
        form = f"in the format {spec.format}" if spec.format else f"as {_example(spec)}"
        axis = spec.axis
        ends = [_said(end, spec) for end in (axis.low, axis.high) if math.isfinite(end)]
        said = f"a {spec.kind} {form}"
        if len(ends) == 2:
            return f"{said}, from {ends[0]} to {ends[1]}"
        if ends:
            return f"{said}, {'from' if math.isfinite(axis.low) else 'to'} {ends[0]}"
        return said


def _example(spec: Date | Datetime) -> str:
    return "YYYY-MM-DD" if spec.whole else "YYYY-MM-DD HH:MM:SS"


def _said(days: float, spec: Date | Datetime) -> str:
    moment = EPOCH + days * DAY
    return moment.date().isoformat() if spec.whole else moment.isoformat(" ")


def _of_text(texts: arrow.ChunkedArray, form: str | None) -> Floats:
    """Return days for text, NaN where it is no date; each different text is read once."""
    coded = compute.dictionary_encode(texts).combine_chunks()
    coded = coded.combine_chunks() if isinstance(coded, arrow.ChunkedArray) else coded
    days = np.array([_days(text, form) for text in coded.dictionary.to_pylist()] or [np.nan])
    there = np.asarray(compute.is_valid(coded.indices))
    found: Floats = np.where(there, days[np.asarray(compute.fill_null(coded.indices, 0))], np.nan)
    return found


def _days(text: str, form: str | None) -> float:
    try:
        moment = dt.datetime.fromisoformat(text) if form is None else dt.datetime.strptime(text, form)
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return math.nan
    return days_of(moment)
