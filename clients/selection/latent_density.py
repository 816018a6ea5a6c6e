# SPDX-License-Identifier: Apache-2.0
"""Rule ``latent-density``: keep the batches of candidates that lie densest."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix

BATCH = 64
NEIGHBOURS = 4
"""Others that a candidate is compared with: the published five count the candidate itself."""
_LEAST_GAP = 1e-10


def latent_density(candidates: Floats, count: int) -> Ints:
    r"""Score consecutive batches of 64 by their mean density and keep the densest; no reference is used.

    .. math:: \rho(B) = \mathrm{mean}_{x \in B} \; 1 / (\mathrm{mean}_{j \le 4} \|x - x_{(j)}\| + 10^{-10})

    x_(j) is the j-th nearest other member of the batch; all members share the batch's score. The published
    rule scores a diffusion model's bottleneck by the OLE loss and falls back to this density where that
    loss is not installed; generators here have no bottleneck, so this is the rule, in the feature space.

    Args:
        candidates: Features, shape (N, d), N >= 5; their order makes the batches. Fewer than five at the
            end join the batch before them.
        count: n <= N; the last batch that is kept is cut to fit.

    Returns:
        Indices, ascending, shape (n,); ties go to the earlier batch.

    Raises:
        ValueError: If n is not in 1..N, N < 5, or candidates are not finite.

    Source:
        Latent space filtering, as compared in arXiv 2606.13732 (public code, fallback without OLE).
    """
    x = matrix(candidates, "candidates")
    check_count(count, len(x))
    if len(x) <= NEIGHBOURS:
        raise ValueError(f"rule latent-density needs at least {NEIGHBOURS + 1} candidates, got {len(x)}")
    starts = np.arange(BATCH, len(x) - NEIGHBOURS, BATCH)
    batches = np.split(np.arange(len(x)), starts)
    densities = [_density(x[batch]) for batch in batches]
    order = np.argsort(-np.array(densities), kind="stable")
    return np.sort(np.concatenate([batches[i] for i in order])[:count])


def _density(batch: Floats) -> float:
    gaps, _ = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(batch).kneighbors()
    return float((1.0 / (gaps.mean(axis=1) + _LEAST_GAP)).mean())
