# SPDX-License-Identifier: Apache-2.0
"""How far columns, and what two of them have to do with each other, are from the truth's."""

from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from tailweave.clients.metrics.table.cells import MOST_COLUMNS, Rows
from tailweave.protocols.arrays import Floats, Ints

MOST_CELLS = 100
"""Of a column whose association is measured."""


def column_distances(rows: Rows, truth: Rows) -> Floats:
    r"""Return the total variation distance of each column's cells to the truth's, shape (c,).

    .. math:: \tfrac12 \sum_i | p_i - q_i |

    over levels, or tenths of the truth, and what is missing. Samples of the truth itself, m of them, are
    about half of the sum of sqrt(2 q_i (1 - q_i) / (pi m)) away.
    """
    return np.array(
        [
            0.5 * np.abs(_shares(mine, cut.count) - _shares(true, cut.count)).sum()
            for mine, true, cut in zip(rows.cells, truth.cells, rows.cuts, strict=True)
        ]
    )


def associations(rows: Rows) -> Floats:
    """Return how strongly each two columns go together, shape (k,).

    Two columns of numbers have Spearman's rank correlation, in [-1, 1], over the rows where neither is
    missing; two others Cramér's V of their cells, corrected for its bias, in [0, 1]. Where one of them does
    not vary it is 0. Of the first 30 columns, without those of more than 100 levels.
    """
    small = [place for place, cut in enumerate(rows.cuts) if cut.count <= MOST_CELLS + 1][:MOST_COLUMNS]
    return np.array([_association(rows, *pair) for pair in combinations(small, 2)])


def _association(rows: Rows, one: int, other: int) -> float:
    if rows.cuts[one].levels or rows.cuts[other].levels:
        counts = rows.cuts[one].count, rows.cuts[other].count
        return cramers_v(rows.cells[one], rows.cells[other], counts)
    there = ~(rows.parts[one][1] | rows.parts[other][1])
    x, y = (rows.parts[place][0][there] for place in (one, other))
    if len(x) < 2 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return 0.0
    return float(np.clip(np.corrcoef(rankdata(x), rankdata(y))[0, 1], -1.0, 1.0))


def cramers_v(one: Ints, other: Ints, counts: tuple[int, int]) -> float:
    r"""Return Cramér's V of two columns of cells, corrected for its bias.

    .. math:: \tilde V^2 = \max(0, \phi^2 - (k - 1)(r - 1) / (n - 1)) / (\min(\tilde k, \tilde r) - 1)

    with phi^2 = chi^2 / n and k~ = k - (k - 1)^2 / (n - 1), r~ alike; k and r count cells that occur.

    Args:
        one: Cells of n rows, shape (n,).
        other: The same of another column.
        counts: How many cells either column has.

    Returns:
        0 (nothing to do with each other, or one does not vary) to 1.

    Source:
        Bergsma (2013), J. Korean Stat. Soc. 42:323-328, eqs. 5 to 7.
    """
    n, width = len(one), counts[1]
    table = np.bincount(one * width + other, minlength=counts[0] * width).reshape(counts)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    k, r = table.shape
    if min(k, r) < 2 or n < 3:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi_sq = float(((table - expected) ** 2 / expected).sum()) / n
    least = min(k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)) - 1.0
    left = max(0.0, phi_sq - (k - 1) * (r - 1) / (n - 1))
    return min(1.0, float(np.sqrt(left / least))) if least > 0.0 else 0.0


def _shares(cells: Ints, count: int) -> Floats:
    found: Floats = np.bincount(cells, minlength=count) / len(cells)
    return found
