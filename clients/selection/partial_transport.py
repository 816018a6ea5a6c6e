# SPDX-License-Identifier: Apache-2.0
"""Rule ``partial-transport``: the subset nearest the reference in W2, as an exact linear programme."""

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import PartialTransport
from tailweave.protocols.pot import ot
from tailweave.protocols.references.empirical import Empirical


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

    Args:
        reference: Points (m, d) with masses.
        candidates: Features, shape (N, d).
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,).

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or the solver fails.

    Source:
        Partial transport by a dummy point: Caffarelli & McCann (2010); solved by POT's network simplex.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    if not 1 <= count <= len(x):
        raise ValueError(f"count must be in 1..{len(x)} (the candidates), got {count}")
    cost = np.zeros((len(x), len(reference.points) + 1))
    cost[:, :-1] = ot.dist(x, reference.points)  # squared Euclidean
    supply = np.full(len(x), 1.0 / count)
    demand = np.append(reference.masses, len(x) / count - 1.0)
    demand *= supply.sum() / demand.sum()
    plan, log = ot.emd(supply, demand, cost, numItermax=2_000_000, log=True, check_marginals=False)
    if log["result_code"] != 1:
        raise ValueError(f"partial transport did not finish: {log['warning']}")
    carried = plan[:, :-1].sum(axis=1)
    order = np.lexsort((np.arange(len(x)), -np.round(carried * count, 12)))
    return np.sort(order[:count])
