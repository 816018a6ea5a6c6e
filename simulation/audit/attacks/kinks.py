# SPDX-License-Identifier: Apache-2.0
r"""Hidden numbers from mean distances: a piecewise linear function has a kink wherever one of them is.

Whoever may ask for :math:`f(t) = c + \frac1n \sum_i |t - h_i|`, c unknown, has every h_i after about three
questions each: f is convex, two tangents meet in a point that lies on f exactly when there is nothing but one
kink between them. An energy distance along one feature is such a function.

Source:
    Energy distance: Székely & Rizzo (2013), J. Stat. Plan. Inference 143:1249-1272; the search by tangents is
    derived here: on an interval with a single kink f is the larger of its two tangents.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats

Mean = Callable[[float], float | None]
"""Mean distance from a number to the hidden numbers, up to a constant; None where no answer holds one."""

_FLAT = 1e-6
"""Slopes that differ by less are equal: a kink of one number in a million would show."""
_ON = 1e-8
"""A value this near to both tangents is where they meet; nearer numbers are not told apart."""


@dataclass(frozen=True)
class _Tangent:
    at: float
    value: float
    slope: float

    def __call__(self, t: float) -> float:
        return self.value + self.slope * (t - self.at)


def hidden_numbers(mean: Mean, reach: float, *, step: float, most: int) -> Floats:
    """Find hidden numbers between -reach and reach.

    Args:
        mean: Answers one question.
        reach: All hidden numbers are smaller in magnitude.
        step: Over which a slope is taken; two numbers nearer to each other may be missed.
        most: About how many there may be at most; the search gives up after six questions each.

    Returns:
        The numbers, ascending, shape (k,), each once; empty if an answer holds nothing.
    """
    left, right = mean(-reach), mean(reach)
    if left is None or right is None:
        return np.empty(0)
    found: list[float] = []
    between = [(_Tangent(-reach, left, -1.0), _Tangent(reach, right, 1.0))]
    for _ in range(3 * most):
        if not between:
            break
        low, high = between.pop()
        if high.slope - low.slope < _FLAT:
            continue
        meet = (high.value - low.value + low.slope * low.at - high.slope * high.at) / (low.slope - high.slope)
        value, beside = mean(meet), mean(meet + step)
        if value is None or beside is None:
            return np.empty(0)
        if value - low(meet) < _ON:
            found.append(meet)
        else:
            middle = _Tangent(meet, value, (beside - value) / step)
            between += [(low, middle), (middle, high)]
    return np.sort(found)


def matched(values: Sequence[Floats], sums: Sequence[Floats], *, exact: float) -> Floats:
    """Put numbers of single columns together to rows.

    Args:
        values: Hidden numbers of each column, p arrays.
        sums: Hidden sums of the first two, three, ... columns, p - 1 arrays.
        exact: How near a sum must come.

    Returns:
        Rows (k, p) whose sums are all among the hidden ones; none where something is missing.
    """
    rows = values[0][:, None]
    for column, total in zip(values[1:], sums, strict=True):
        if not (len(rows) and len(column) and len(total)):
            return np.empty((0, len(values)))
        pairs = rows.sum(axis=1)[:, None] + column[None, :]  # (k, n)
        near = cdist(pairs.reshape(-1, 1), total[:, None]).min(axis=1).reshape(pairs.shape) < exact
        which, what = np.nonzero(near)
        rows = np.column_stack([rows[which], column[what]])
    return rows
