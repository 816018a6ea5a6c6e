# SPDX-License-Identifier: Apache-2.0
"""Rule ``partial-transport``: the subset nearest the reference in W2, as an exact linear programme."""

import math
from dataclasses import dataclass

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import PartialTransport
from tailweave.protocols.pot import ot
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.transport.blocks import AT_ONCE, cost_blocks

GAP = 1e-3
"""Beyond ``AT_ONCE`` costs: share of its cost that a plan may be dearer than the best."""


@implements(PartialTransport)
def rule(
    spec: PartialTransport, candidates: Candidates, reference: Empirical, rng: np.random.Generator
) -> Ints:
    """As the contract says; see ``partial_transport``."""
    return partial_transport(reference, candidates.features, candidates.count)


def partial_transport(reference: Empirical, candidates: Floats, count: int) -> Ints:
    r"""Pick the candidates that carry the most mass in the cheapest partial plan.

    .. math:: \min_{\pi \ge 0} \sum_{ij} \pi_{ij} \|x_i - r_j\|^2, \quad
              \sum_j \pi_{ij} \le 1/n, \; \sum_i \pi_{ij} = m_j

    Each candidate may carry 1/n; a dummy sink of cost 0 takes what is not used. With n reference points of
    equal mass the plan is integral and the pick is the exact minimiser of W2^2 over subsets; otherwise a
    candidate may be used in part, and the n that carry most are picked (ties: the lower index).

    Beyond ``AT_ONCE`` costs the programme is solved for a part of the candidates, those nearest each point,
    and again with those that its prices say are missing, until the plan costs at most a share ``GAP`` more
    than the best. With prices g of the points, a plan of all candidates costs at least

    .. math:: \sum_j m_j g_j + \frac1n \sum_i \min(0, \min_j \|x_i - r_j\|^2 - g_j).

    Args:
        reference: Points (m, d) with masses.
        candidates: Features, shape (N, d).
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,).

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or the solver fails.

    Source:
        Partial transport by a dummy point: Caffarelli & McCann (2010); solved by POT's network simplex. The
        bound is weak duality; adding what it prices below zero is column generation.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    if not 1 <= count <= len(x):
        raise ValueError(f"count must be in 1..{len(x)} (the candidates), got {count}")
    at_once = len(x) * len(reference.points) <= AT_ONCE
    held, solved = _all(x, reference, count) if at_once else _enough(x, reference, count)
    order = np.lexsort((held, -np.round(solved.carried * count, 12)))
    return np.sort(held[order[:count]])


@dataclass(frozen=True)
class _Solved:
    """Mass that each candidate carries, the price of each point, and what the plan costs."""

    carried: Floats
    prices: Floats
    cost_sq: float


def _all(x: Floats, reference: Empirical, count: int) -> tuple[Ints, _Solved]:
    return np.arange(len(x)), _solve(x, reference, count)


def _enough(x: Floats, reference: Empirical, count: int) -> tuple[Ints, _Solved]:
    """Return the candidates without which a plan would be too dear, and the plan of these."""
    used = reference.masses > 0.0  # the price of a point without mass says nothing
    reference = Empirical(reference.points[used], reference.masses[used])
    held = _nearest(x, reference.points, count)
    while True:
        solved = _solve(x[held], reference, count)
        reduced = _least_reduced_costs(x, reference.points, solved.prices)
        bound = float(reference.masses @ solved.prices + np.minimum(reduced, 0.0).sum() / count)
        reduced[held] = 0.0
        missing = np.argsort(reduced, kind="stable")[: max(count, len(held) // 2)]
        missing = missing[reduced[missing] < 0.0]
        if not len(missing) or solved.cost_sq - bound <= GAP * solved.cost_sq:
            return held, solved
        held = np.sort(np.append(held, missing))


def _solve(x: Floats, reference: Empirical, count: int) -> _Solved:
    cost = np.zeros((len(x), len(reference.points) + 1))
    cost[:, :-1] = ot.dist(x, reference.points)  # squared Euclidean
    supply = np.full(len(x), 1.0 / count)
    demand = np.append(reference.masses, len(x) / count - 1.0)
    demand *= supply.sum() / demand.sum()
    plan, log = ot.emd(supply, demand, cost, numItermax=2_000_000, log=True, check_marginals=False)
    if log["result_code"] != 1:
        raise ValueError(f"partial transport did not finish: {log['warning']}")
    prices = log["v"][:-1] - log["v"][-1]  # what the sink takes is free
    return _Solved(plan[:, :-1].sum(axis=1), prices, float((plan * cost).sum()))


def _nearest(x: Floats, points: Floats, count: int) -> Ints:
    """Return the candidates nearest each point, ascending: four times as many as it needs, 2 n in all."""
    each = max(8, 4 * math.ceil(count / len(points)))
    while True:
        each = min(each, len(x))
        near = [np.argpartition(cost_sq, each - 1, axis=1)[:, :each] for _, cost_sq in cost_blocks(points, x)]
        held = np.unique(np.concatenate(near))
        if len(held) >= min(2 * count, len(x)):
            return held
        each *= 2  # where points lie close together, they have their nearest candidates in common


def _least_reduced_costs(x: Floats, points: Floats, prices: Floats) -> Floats:
    """Return min_j |x_i - r_j|^2 - g_j, shape (N,): below zero where a candidate would better the plan."""
    return np.concatenate([(cost_sq - prices).min(axis=1) for _, cost_sq in cost_blocks(x, points)])
