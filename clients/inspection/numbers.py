# SPDX-License-Identifier: Apache-2.0
"""What a column of numbers seems to be, and which of them mean that one is missing."""

import datetime as dt
import math
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.inspection.proposal import Proposal, Value, ignored
from tailweave.protocols.arrays import Floats

_SENTINELS = frozenset([-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0])
_ID = re.compile(r"(?:^|[^a-z])(?:id|nr|no|index|key|uuid|number)(?:$|[^a-z])|id$", re.IGNORECASE)
_SURELY_ID = 100
"""Rows from which on whole numbers that differ in all of them are no measure."""
_FEW = 10
"""Fewer rows may differ by chance; different values from which on they are no codes."""
_DAYS = (19000101.0, 21001231.0)


class Bounds(NamedTuple):
    """Extremes, rounded outwards."""

    low: float
    high: float


def of_numbers(name: str, values: Floats, *, whole_days: bool = True) -> Proposal:
    """Propose what a column is whose present cells are numbers.

    Args:
        name: Of the column.
        values: The numbers that are there, shape (m,).
        whole_days: Whether 20240131 may be a date: in text it can be read as one.
    """
    if not len(values):
        return ignored("no cell has a value")
    low, high = float(values.min()), float(values.max())
    if low == high:
        return ignored(f"constant: {low:g} throughout")
    whole = bool((values == np.rint(values)).all()) and max(-low, high) < 2.0**53
    if not whole:
        return _measure("number", values, low, high)
    if (low, high) == (0.0, 1.0):
        return Proposal({"kind": "boolean"}, (f"{np.count_nonzero(values)} of {len(values)} are 1",))
    if is_id(name, values):
        return ignored("whole numbers, different in each row: an ID")
    if whole_days and _DAYS[0] <= low and high <= _DAYS[1] and _are_days(values):
        years = int(low) // 10000, int(high) // 10000
        return Proposal(
            {"kind": "date", "min": f"{years[0]}-01-01", "max": f"{years[1]}-12-31", "format": "%Y%m%d"}
        )
    proposed = _measure("integer", values, low, high)
    different = len(np.unique(values)) if high - low < 10_000 else len(values)
    if different > _FEW:
        return proposed
    note = f"only {different} different values: if these are codes, say category"
    return Proposal(proposed.spec, (*proposed.notes, note))


def sentinels(values: Floats) -> tuple[float, ...]:
    """Return numbers that seem to mean missing: round nines (or -1) off all others, again and again.

    Args:
        values: The numbers that are there, shape (m,).
    """
    found: list[float] = []
    rest = values
    while len(rest) > 2:
        ends = [float(rest.min()), float(rest.max())]
        away = [number for number in ends if number in _SENTINELS and _is_sentinel(number, rest)]
        if not away:
            break
        found.append(away[0])
        rest = rest[rest != away[0]]
    return tuple(found)


def _is_sentinel(number: float, values: Floats) -> bool:
    """Tell whether a number stands far off, as a negative one does among numbers that never are."""
    others = values[values != number]
    if len(values) - len(others) < 2 or len(others) < 2:
        return False
    low, high = float(others.min()), float(others.max())
    alone = number < 0.0 <= low and high > 10.0 and float(np.median(others)) >= 5.0
    if alone or number == -1.0:
        return alone
    off = low - number if number < low else number - high
    return off > max(high - low, 1.0)


def bounds(low: float, high: float) -> Bounds:
    """Round a range outwards to half its order of magnitude, so that no extreme of a row is told.

    Args:
        low: Below ``high``.
        high: Largest number.
    """
    step = 10.0 ** math.floor(math.log10(high - low)) / 2.0
    if not (math.isfinite(step) and step > 0.0 and max(abs(low), abs(high)) / step < 2.0**53):
        return Bounds(low, high)
    below, above = math.floor(low / step) * step, math.ceil(high / step) * step
    return Bounds(min(_tidy(below), low), max(_tidy(above), high))


def _measure(kind: str, values: Floats, low: float, high: float) -> Proposal:
    ends = bounds(low, high)
    spread = float(values.std())
    spec: dict[str, Value] = {"kind": kind, "min": ends.low, "max": ends.high}
    if kind == "integer":
        spec |= {"min": math.floor(ends.low), "max": math.ceil(ends.high)}
    if spread > 0.0 and math.isfinite(spread):
        digit = 10.0 ** math.floor(math.log10(spread))
        center = round(float(values.mean()) / digit) * digit
        spec |= {"center": _tidy(center), "scale": float(f"{spread:.1e}")}
    return Proposal(spec)


def _tidy(number: float) -> float:
    return float(f"{number:.15g}")


def is_id(name: str, values: Floats) -> bool:
    """Tell whether whole numbers, shape (n,), look like a number given to each row rather than a measure."""
    rows, low, high = len(values), values.min(), values.max()
    if len(np.unique(values[:1000])) < min(rows, 1000) or len(np.unique(values)) < rows:
        return False
    return bool(rows >= _SURELY_ID or _FEW <= rows > (high - low) / 2 or _ID.search(name) is not None)


def _are_days(values: Floats) -> bool:
    days: NDArray[np.int64] = np.unique(values).astype(np.int64)
    try:
        for day in days.tolist():
            dt.date(day // 10000, day // 100 % 100, day % 100)
    except ValueError:
        return False
    return True
