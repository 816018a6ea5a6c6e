# SPDX-License-Identifier: Apache-2.0
r"""Rows from distances: whoever may ask how far the nearest hidden row is has it after a few questions.

From a point p and points p + s e_j beside it, if all have the same nearest row z,

.. math:: z_j = p_j + (|p - z|^2 - |p + s e_j - z|^2 + s^2) / (2 s).

One question more, at z, says whether they had: the distance is then zero.

Source:
    Trilateration; the squared distances differ by 2 s (z_j - p_j) - s^2.
"""

from collections.abc import Callable

import numpy as np

from tailweave.protocols.arrays import Floats

Distance = Callable[[Floats], float | None]
"""Distance from a point (p,) to the nearest hidden row; None where no answer holds one."""


def nearest_row(distance: Distance, point: Floats, *, step: float, exact: float) -> Floats | None:
    """Locate the hidden row nearest to a point.

    Args:
        distance: Answers one question.
        point: p, shape (p,).
        step: s, small beside the distance between rows, large beside rounding.
        exact: Distance below which the row is confirmed.

    Returns:
        The row, shape (p,); None if an answer holds no distance, or the points had different nearest rows.
    """
    here = distance(point)
    if here is None:
        return None
    row = np.array(point, dtype=np.float64)
    for axis in range(len(point)):
        there = distance(point + step * np.eye(len(point))[axis])
        if there is None:
            return None
        row[axis] += (here**2 - there**2 + step**2) / (2.0 * step)
    left = distance(row)
    return row if left is not None and left < exact else None
