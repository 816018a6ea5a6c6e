# SPDX-License-Identifier: Apache-2.0
"""Transport plans between two weighted point sets, exact or entropic. The cost is |x - y|^2."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats, matrix, probabilities
from tailweave.protocols.pot import ot

_PIVOTS = 100_000_000
"""Network-simplex steps that no plan of the sizes used here comes near."""
SWEEPS = 20_000
"""Iterations at most, in the last stage."""
SWEEPS_ON_THE_WAY = 100
"""And in each before it."""
FIRST_EXPONENT = 64.0
"""Largest cost over the strength that Sinkhorn begins with: exp(-64) is far from underflow."""
STOP = 1e-6
"""Relative error of a marginal (root mean square) at which Sinkhorn stops."""
MARGIN = 1e-3
"""Largest relative error of a marginal that is accepted after the last sweep."""


@dataclass(frozen=True)
class Coupling:
    """A plan and what it tells about its first point set.

    Attributes:
        plan: Mass sent from each x to each y, shape (n, m); sums to one.
        cost_sq: Sum of plan times cost, (units of the points)^2.
        potential: First dual potential f, shape (n,), (units of the points)^2, up to a constant.
    """

    plan: Floats
    cost_sq: float
    potential: Floats


def exact(x: Floats, y: Floats, masses: Floats, others: Floats) -> Coupling:
    r"""Solve the transport problem exactly.

    .. math:: \min_{\pi} \sum_{ij} \pi_{ij} |x_i - y_j|^2

    Args:
        x: Points, shape (n, d).
        y: Points, shape (m, d).
        masses: Of x, shape (n,), positive; scaled to sum to one.
        others: Of y, shape (m,), positive; scaled to sum to one.

    Returns:
        The plan; where several are optimal, the one that the solver finds first.

    Raises:
        ValueError: If points are not finite, do not fit each other, or masses do not fit them.
        ArithmeticError: If the network simplex does not reach the optimum.

    Source:
        Bonneel et al. (2011), ACM Trans. Graph. 30(6); POT's ``ot.emd``.
    """
    x, y, a, b = checked(x, y, masses, others)
    cost_sq = cdist(x, y, "sqeuclidean")  # (n, m)
    plan, log = ot.emd(a, b, cost_sq, numItermax=_PIVOTS, log=True, check_marginals=False)
    if log["warning"] is not None:
        raise ArithmeticError(f"exact transport of {len(x)} x {len(y)} failed: {log['warning']}")
    return Coupling(plan, float((plan * cost_sq).sum()), np.asarray(log["u"], dtype=np.float64))


def entropic(x: Floats, y: Floats, masses: Floats, others: Floats, reg: float) -> Coupling:
    r"""Solve the entropic transport problem.

    .. math:: \min_{\pi} \sum_{ij} \pi_{ij} |x_i - y_j|^2 + \epsilon \, \mathrm{KL}(\pi \,|\, a \otimes b)

    Epsilon is halved from a large one down to its value, and what each stage finds is taken off the cost:
    a kernel of the bare cost would underflow. ``cost_sq`` is without the entropy. Equal sizes converge for
    any epsilon; unequal ones may not for one so small that the exact plan is as good.

    Args:
        x: Points, shape (n, d).
        y: Points, shape (m, d).
        masses: Of x, shape (n,), positive; scaled to sum to one.
        others: Of y, shape (m,), positive; scaled to sum to one.
        reg: Epsilon, positive, in units of the cost.

    Returns:
        The plan.

    Raises:
        ValueError: If points are not finite, do not fit each other, masses do not fit them, or ``reg`` is
            not finite and positive.
        ArithmeticError: If Sinkhorn does not converge.

    Source:
        Cuturi (2013), NeurIPS, algorithm 1; stages: Schmitzer (2019), SIAM J. Sci. Comput. 41:A1443; POT's
        ``ot.sinkhorn``.
    """
    check_reg(reg)
    x, y, a, b = checked(x, y, masses, others)
    cost_sq = cdist(x, y, "sqeuclidean")  # (n, m)
    f, g = np.zeros(len(x)), np.zeros(len(y))
    strength = max(reg, float(cost_sq.max()) / FIRST_EXPONENT)
    while strength > reg:
        _, f, g = _sweep(cost_sq, (a, b), (f, g), strength, SWEEPS_ON_THE_WAY)
        strength = max(reg, strength / 2.0)
    plan, f, _ = _sweep(cost_sq, (a, b), (f, g), reg, SWEEPS)
    rows, columns = np.abs(plan.sum(axis=1) / a - 1.0), np.abs(plan.sum(axis=0) / b - 1.0)
    check_margin(float(max(rows.max(), columns.max())), reg, cost_sq.shape)
    return Coupling(plan, float((plan * cost_sq).sum()), f)


def _sweep(
    cost_sq: Floats, masses: tuple[Floats, Floats], duals: tuple[Floats, Floats], reg: float, sweeps: int
) -> tuple[Floats, Floats, Floats]:
    """Run Sinkhorn on the cost less its duals; return the plan and the new duals. The caller checks them."""
    (a, b), (f, g) = masses, duals
    reduced = cost_sq - f[:, None] - g[None, :]
    stop = STOP * float(np.linalg.norm(b))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)  # POT's, of what the caller refuses
        plan, log = ot.sinkhorn(
            a, b, reduced, reg, method="sinkhorn", numItermax=sweeps, stopThr=stop, log=True, warn=False
        )
        return plan, f + reg * np.log(log["u"]), g + reg * np.log(log["v"])


def entropic_self(x: Floats, masses: Floats, reg: float) -> Coupling:
    r"""Solve the entropic transport problem of a point set onto itself, whose two potentials are equal.

    .. math:: u \leftarrow \sqrt{u \, a / K u}, \qquad f = \epsilon \log u

    Args:
        x: Points, shape (n, d).
        masses: Shape (n,), positive; scaled to sum to one.
        reg: Epsilon, positive, in units of the cost.

    Returns:
        The symmetric plan.

    Raises:
        ValueError: If points are not finite, masses do not fit them, or ``reg`` is not finite and positive.
        ArithmeticError: If the iteration does not converge.

    Source:
        Feydy et al. (2019), AISTATS, eq. 26: the averaged update of the symmetric problem.
    """
    check_reg(reg)
    x, _, a, _ = checked(x, x, masses, masses)
    cost_sq = cdist(x, x, "sqeuclidean")
    kernel = np.exp(-cost_sq / reg)
    u = np.sqrt(a)
    for _ in range(SWEEPS):
        ratio = a / (u * (kernel @ u))
        if np.abs(ratio - 1.0).max() <= STOP:
            break
        u = u * np.sqrt(ratio)
    plan = kernel * (u[:, None] * u[None, :])
    check_margin(float(np.abs(plan.sum(axis=1) / a - 1.0).max()), reg, cost_sq.shape)
    return Coupling(plan, float((plan * cost_sq).sum()), reg * np.log(u))


def checked(x: Floats, y: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return points and masses as they are used.

    Raises:
        ValueError: If they are not finite, do not fit each other, or a mass is not positive.
    """
    x = matrix(x, "points")
    y = matrix(y, "rows", columns=x.shape[1])
    a, b = probabilities(a, "masses"), probabilities(b, "masses")
    if (len(a), len(b)) != (len(x), len(y)) or min(a.min(), b.min()) <= 0.0:
        raise ValueError(
            f"masses must be positive, one a point: {len(x)} and {len(y)} points, {len(a)} and {len(b)} "
            f"masses, the least {min(a.min(), b.min()):g}"
        )
    return x, y, a, b


def check_reg(reg: float) -> None:
    """Refuse a strength that is none.

    Raises:
        ValueError: If it is not finite and positive.
    """
    if not (np.isfinite(reg) and reg > 0.0):
        raise ValueError(f"entropic_reg must be finite and positive, got {reg}")


def check_margin(error: float, reg: float, shape: tuple[int, ...]) -> None:
    """Refuse potentials whose plan has a marginal off by more than ``MARGIN``.

    Raises:
        ArithmeticError: If it is, or is not a number.
    """
    if not error <= MARGIN:  # also when it is NaN
        raise ArithmeticError(
            f"entropic transport of {shape[0]} x {shape[1]} did not converge at entropic-reg {reg:g}: a "
            f"marginal is off by {error:.2g}, {MARGIN:g} is allowed; raise entropic-reg or use exact"
        )
