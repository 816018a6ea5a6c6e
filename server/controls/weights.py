# SPDX-License-Identifier: Apache-2.0
"""How much of the reference one silo may decide: a cap on its weight, by water-filling."""

import numpy as np
from numpy.typing import ArrayLike

from tailweave.protocols.arrays import Floats

CAP = 0.25
"""Largest share of the reference that one silo may have, where there are four or more."""


def cap_weights(counts: ArrayLike, cap: float = CAP) -> Floats:
    r"""Lower the counts of large silos to one common level, so that no share of the total exceeds the cap.

    .. math:: w_k = \min(n_k, \ell) \quad\text{with the largest } \ell \text{ for which}\quad
        w_k \le c \sum_i w_i, \qquad c = \max(\mathrm{cap}, 1 / K)

    Cutting the shares at c and dividing by their sum does not do it: of five silos of 2,000 rows, one that
    claims 200,000 is cut to .25 and then lifted to .86 again.

    Args:
        counts: Rows that each of K silos claims, shape (K,), non-negative; silos of no rows are not in K.
        cap: Largest share of one silo, in (0, 1].

    Returns:
        Weights in rows, shape (K,). A silo below the level keeps its count to the last bit, so where the cap
        does not bind the weights are the counts. All equal where K <= 1 / cap; all zero where all counts are.

    Raises:
        ValueError: If counts are not a finite non-negative vector, or cap is not in (0, 1].

    Source:
        Water-filling. If the m largest silos are at the level and the others hold S rows in all, then
        l = c (m l + S), so l = c S / (1 - c m); the m that fits is the first with the next silo below l.
    """
    rows = np.asarray(counts, dtype=np.float64)
    if rows.ndim != 1 or not np.isfinite(rows).all() or (rows < 0).any():
        raise ValueError(f"counts must be a finite, non-negative vector, got {rows.tolist()}")
    if not 0.0 < cap <= 1.0:
        raise ValueError(f"cap must be in (0, 1], got {cap}")
    claimed = np.sort(rows[rows > 0])[::-1]
    if claimed.size <= 1.0 / cap:
        level = float(claimed.min(initial=np.inf))
        return rows.clip(max=level)
    room = 1.0 - cap * np.arange(claimed.size)
    rest = np.cumsum(claimed[::-1])[::-1]  # rows of this silo and all smaller ones
    first = int(np.argmax(claimed * room <= cap * rest))
    level = float(cap * rest[first] / room[first])
    return rows.clip(max=level)
