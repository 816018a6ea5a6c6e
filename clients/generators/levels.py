# SPDX-License-Identifier: Apache-2.0
r"""Draws of a Gaussian over encoded rows in which levels are levels.

Of a plain draw the nearest level is the commonest one, almost always: a level of a few percent is lost. So
the columns are drawn in order, levels first. With x = m + L z, L the lower Cholesky factor, the columns b of
a block have, given all that were drawn before them, the mean

.. math:: c_b = m_b + L_{b,<b} z_{<b},

for columns of levels the probability of each (the linear probability model). As this may leave [0, 1], it is
clipped and then raked: scaled in turn until each row sums to 1 and the mean over the rows is m_b, so that the
expected share of a level is that among the rows which the Gaussian was fitted on, however rare it is. The
level is drawn, and z_b solved for from L_{bb} z_b = y_b - c_b, so that what follows is drawn given the level.
Covariances of levels, and of levels with numbers, are then those of the Gaussian but for what was clipped.

Source: derived here from the sequential form of a Gaussian. Levels before numbers given levels: Olkin & Tate
(1961), Ann. Math. Stat. 32:448-465. Raking: Deming & Stephan (1940), Ann. Math. Stat. 11:427-444.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular

from tailweave.clients.sorts import Block
from tailweave.protocols.arrays import Floats, Ints

_LEAST = 1e-6
"""Of a level's share, whatever was clipped: what is 0 throughout could not be raked."""
_TURNS = 20
"""Of raking; most is done after three."""
_TOGETHER = 1024
"""Rows that are drawn at least, whatever is wanted: raked by itself a single row would have each level at its
share, whatever it goes with. With so many the law of a row hardly depends on how many are drawn."""


def draw_levels(
    mean: Floats, covariance: Floats, blocks: Sequence[Block], count: int, *, rng: np.random.Generator
) -> Floats:
    """Draw rows of a Gaussian whose blocks hold levels.

    Args:
        mean: Shape (p,).
        covariance: Shape (p, p), positive definite.
        blocks: Columns of levels, at least one block.
        count: m.
        rng: Stream of the draws.

    Returns:
        Shape (m, p): in each block one column, or none if it is not whole, has its unit, and the others 0.

    Raises:
        ValueError: If no level of a block has a positive mean: no such Gaussian was fitted on a table.
    """
    for block in blocks:
        if block.whole and mean[block.start : block.stop].max() <= 0.0:
            raise ValueError(
                f"the model's mean must be positive for some level of columns {block.start} to "
                f"{block.stop - 1}: it was fitted on another table"
            )
    order = _levels_first(blocks, len(mean))
    mean, factor = mean[order], np.linalg.cholesky(covariance[np.ix_(order, order)])
    noise = rng.standard_normal((max(count, _TOGETHER), len(mean)))
    rows, start = np.zeros_like(noise), 0
    for block in blocks:
        here = slice(start, start + block.stop - block.start)
        given = mean[here] + noise[:, :start] @ factor[here, :start].T  # (m, w)
        rows[:, here] = block.unit * _drawn(given / block.unit, mean[here] / block.unit, block.whole, rng)
        noise[:, here] = solve_triangular(factor[here, here], (rows[:, here] - given).T, lower=True).T
        start = here.stop
    rows[:, start:] = mean[start:] + noise @ factor[start:].T
    found = np.empty((count, len(mean)))
    found[:, order] = rows[:count]
    return found


def _levels_first(blocks: Sequence[Block], columns: int) -> Ints:
    """Return the order of columns in which blocks come first, one after another, shape (p,)."""
    first = [at for block in blocks for at in range(block.start, block.stop)]
    return np.concatenate([np.array(first, dtype=np.int64), np.setdiff1d(np.arange(columns), first)])


def _drawn(given: Floats, mean: Floats, whole: bool, rng: np.random.Generator) -> Floats:
    """Return 1 in the column of the level that is drawn, shape (m, w)."""
    width = given.shape[1]
    if not whole:  # "none of them" is one level more
        given, mean = (np.hstack([part, 1.0 - part.sum(axis=-1, keepdims=True)]) for part in (given, mean))
    ends = _raked(given, np.clip(mean, 0.0, None)).cumsum(axis=1)
    own = (rng.random((len(given), 1)) * ends[:, -1:] >= ends).sum(axis=1)
    found: Floats = (own[:, None] == np.arange(width)).astype(np.float64)
    return found


def _raked(given: Floats, mean: Floats) -> Floats:
    """Return probabilities (m, w) near ``given`` whose means are ``mean``, scaled to sum to 1."""
    mean = mean / mean.sum()
    there = mean > 0.0
    shares = np.where(there, np.clip(given, _LEAST * mean, 1.0), 0.0)
    for _ in range(_TURNS):
        shares[:, there] *= mean[there] / shares[:, there].mean(axis=0)
        shares /= shares.sum(axis=1, keepdims=True)
    return shares
