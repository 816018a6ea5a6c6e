# SPDX-License-Identifier: Apache-2.0
r"""Entropic potentials of point sets too large for a matrix of costs: block after block of candidates.

One pass is one iteration of Sinkhorn. With the second potential g, a block of candidates finds its own first
potential and, with it, its part of the plan, whose rows then sum to their masses:

.. math:: f_i = -\epsilon \log \sum_j b_j e^{(g_j - c_{ij}) / \epsilon}, \quad
          \pi_{ij} = a_i b_j e^{(f_i + g_j - c_{ij}) / \epsilon}, \quad
          g_j \leftarrow g_j - \epsilon \log \frac{\sum_i \pi_{ij}}{b_j}

so nothing is kept but f and g, and nothing overflows. The fixed point is that of ``coupling.entropic``, whose
potential is f + epsilon log a.
"""

from collections.abc import Iterator

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.transport.coupling import (
    FIRST_EXPONENT,
    STOP,
    SWEEPS,
    SWEEPS_ON_THE_WAY,
    check_margin,
    check_reg,
    checked,
)

AT_ONCE = 25_000_000
"""Costs up to which all are held at once, by ``coupling`` (200 MB a matrix)."""
_COSTS = 4_000_000
"""Costs of a block (32 MB)."""


def entropic_potential(x: Floats, y: Floats, masses: Floats, others: Floats, reg: float) -> Floats:
    """Return what ``coupling.entropic`` finds for a potential of x, to its own precision.

    Args:
        x: Points, shape (n, d).
        y: Points, shape (m, d).
        masses: Of x, shape (n,), positive; scaled to sum to one.
        others: Of y, shape (m,), positive; scaled to sum to one.
        reg: Epsilon, positive, in units of the cost.

    Returns:
        f, shape (n,), (units of the points)^2, up to a constant.

    Raises:
        ValueError: As ``coupling.entropic``.
        ArithmeticError: If Sinkhorn does not converge.
    """
    check_reg(reg)
    x, y, a, b = checked(x, y, masses, others)
    g = np.zeros(len(y))
    strength = max(reg, _farthest_sq(x, y) / FIRST_EXPONENT)
    while strength > reg:
        _, g, _ = _sinkhorn((x, y), (a, b), g, strength, SWEEPS_ON_THE_WAY)
        strength = max(reg, strength / 2.0)
    f, _, error = _sinkhorn((x, y), (a, b), g, reg, SWEEPS)
    check_margin(error, reg, (len(x), len(y)))
    found: Floats = f + reg * np.log(a)
    return found


def _sinkhorn(
    points: tuple[Floats, Floats], masses: tuple[Floats, Floats], g: Floats, reg: float, sweeps: int
) -> tuple[Floats, Floats, float]:
    """Iterate; return both potentials and the largest relative error of a column's mass."""
    (x, y), (a, b) = points, masses
    f = np.empty(len(x))
    for _ in range(sweeps):
        columns = np.zeros(len(b))
        for part, cost_sq in cost_blocks(x, y):
            exponents = (g - cost_sq) / reg
            top = exponents.max(axis=1)
            weights = np.exp(exponents - top[:, None]) * b  # (r, m)
            totals = weights.sum(axis=1)
            f[part] = -reg * (top + np.log(totals))
            columns += (a[part] / totals) @ weights
        if np.linalg.norm(columns - b) <= STOP * np.linalg.norm(b):
            break
        g = g - reg * np.log(columns / b)
    return f, g, float(np.abs(columns / b - 1.0).max())


def entropic_self_potential(x: Floats, masses: Floats, reg: float) -> Floats:
    """Return what ``coupling.entropic_self`` finds, to its own precision.

    Args:
        x: Points, shape (n, d).
        masses: Shape (n,), positive; scaled to sum to one.
        reg: Epsilon, positive, in units of the cost.

    Returns:
        f, shape (n,), (units of the points)^2; every pass takes n^2 costs.

    Raises:
        ValueError: As ``coupling.entropic_self``.
        ArithmeticError: If the iteration does not converge.
    """
    check_reg(reg)
    x, _, a, _ = checked(x, x, masses, masses)
    u, error = np.sqrt(a), np.inf
    for _ in range(SWEEPS):
        smoothed = np.concatenate([np.exp(cost_sq / -reg) @ u for _, cost_sq in cost_blocks(x, x)])
        ratio = a / (u * smoothed)
        error = float(np.abs(ratio - 1.0).max())
        if error <= STOP:
            break
        u = u * np.sqrt(ratio)
    check_margin(error, reg, (len(x), len(x)))
    found: Floats = reg * np.log(u)
    return found


def cost_blocks(x: Floats, y: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield squared distances (r, m) of some of x (n, d) to all of y (m, d), with their place in x.

    Both are centred first: far from the origin the squares would round the distances away.
    """
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    squares = np.einsum("ij,ij->i", y, y)
    step = max(1, _COSTS // len(y))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        cost_sq = x[part] @ (-2.0 * y.T)
        cost_sq += np.einsum("ij,ij->i", x[part], x[part])[:, None]
        cost_sq += squares
        yield part, np.maximum(cost_sq, 0.0, out=cost_sq)


def _farthest_sq(x: Floats, y: Floats) -> float:
    """Return a bound on the largest cost."""
    center = y.mean(axis=0)
    reach = sum(float(np.sqrt(((points - center) ** 2).sum(axis=1).max())) for points in (x, y))
    return reach**2
