# SPDX-License-Identifier: Apache-2.0
"""The weighted Nash product of utilities, in the log: what rule ``nash`` and curation maximise."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from tailweave.clients.curation.preferences import preference_weights
from tailweave.protocols.arrays import Floats, matrix

_STEPS = 100_000


def log_product(logs: Iterable[Floats], weights: Iterable[float]) -> Floats:
    r"""Return the logarithm of the weighted Nash product of several choices.

    .. math:: \log \prod_k u_{ki}^{w_k} = \sum_k w_k \log u_{ki}

    Summed party by party, so that a choice has the same bits in every block of choices.

    Args:
        logs: log u, one array (b,) a party: of the utilities of b choices.
        weights: w, one a party.

    Returns:
        Shape (b,).

    Raises:
        ValueError: If there is not one weight a party, or no party.
    """
    total: Floats | None = None
    for log, weight in zip(logs, weights, strict=True):
        total = weight * log if total is None else total + weight * log
    if total is None:
        raise ValueError("logs must hold one array or more, one a party, got none")
    return total


def nash_shares(utility: ArrayLike, disagreement: ArrayLike, weights: ArrayLike) -> Floats:
    r"""Return the mixture of distributions that maximises the weighted Nash product.

    .. math:: \max_\alpha \prod_k (u_k(p_\alpha) - d_k)^{w_k}, \quad p_\alpha = \sum_j \alpha_j P_j

    with u_k(p_alpha) = sum_j alpha_j u_kj. The logarithm is concave in alpha; it is maximised by

    .. math:: \alpha_j \leftarrow \alpha_j \sum_k w_k \frac{v_{kj}}{\sum_l \alpha_l v_{kl}}, \quad
              v_{kj} = u_{kj} - d_k

    which never lowers it, and is the large-K update of curation with v in the place of e^r.

    Args:
        utility: u, expected reward of each party (row) under each distribution (column), shape (K, J).
        disagreement: d, what a party has without an agreement, at most its utility of each distribution,
            shape (K,).
        weights: w, in [0, 1], summing to 1, shape (K,).

    Returns:
        Shares, summing to 1, shape (J,), to about 1e-12 where the maximum is inside, less where it is not.

    Raises:
        ValueError: If shapes or weights are wrong, or a party loses by a distribution or gains by none.

    Source:
        arXiv 2605.07724, theorem 3.7: two parties, d_1 = u_1(P_2) and d_2 = u_2(P_1): the maximiser is
        alpha = (q, 1 - q), as v is diagonal then. The iteration: Cover 1984, IEEE Trans. Inf. Theory
        30:369, whose theorem 1 says that it does not lower the objective.
    """
    u = matrix(utility, "utility")
    w = preference_weights(weights, len(u))
    d = np.asarray(disagreement, dtype=np.float64)
    if d.shape != (len(u),):
        raise ValueError(f"disagreement must have shape ({len(u)},), one a party, got {d.shape}")
    v = u - d[:, None]
    if not ((v >= 0).all() and (v.max(axis=1) > 0).all()):
        raise ValueError("utility must be nowhere below disagreement, and above it once a row")
    shares = np.full(v.shape[1], 1.0 / v.shape[1])
    for _ in range(_STEPS):
        raised = multiplied(shares, v, w)
        moved = float(np.abs(raised - shares).max())
        shares = raised
        if moved <= 1e-15:
            break
    return shares


def multiplied(shares: Floats, values: Floats, weights: Floats) -> Floats:
    """Return shares (J,) times sum_k w_k v_kj / E_shares[v_k], of values (K, J) and weights (K,).

    What they sum to stays 1 but for rounding, which is taken out.
    """
    new: Floats = shares * ((weights / (values @ shares)) @ values)
    new /= new.sum()
    return new
