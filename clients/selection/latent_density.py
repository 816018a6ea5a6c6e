# SPDX-License-Identifier: Apache-2.0
"""Rule ``latent-density``: keep the batches of candidates that lie densest."""

import numpy as np
from numpy.random import Generator
from sklearn.neighbors import NearestNeighbors

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.batches import LatentDensity

_LEAST_GAP = 1e-10


@implements(LatentDensity)
def rule(spec: LatentDensity, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """As the contract says; see ``latent_density``."""
    return latent_density(candidates.features, candidates.count, batch=spec.batch, neighbours=spec.neighbours)


def latent_density(candidates: Floats, count: int, *, batch: int = 64, neighbours: int = 4) -> Ints:
    r"""Score consecutive batches by their mean density and keep the densest; no reference is used.

    .. math:: \rho(B) = \mathrm{mean}_{x \in B} \; 1 / (\mathrm{mean}_{j \le 4} \|x - x_{(j)}\| + 10^{-10})

    x_(j) is the j-th nearest other member of the batch; all members share the batch's score. The published
    rule scores a diffusion model's bottleneck by the OLE loss and falls back to this density where that
    loss is not installed; generators here have no bottleneck, so this is the rule, in the feature space.

    Args:
        candidates: Features, shape (N, d), N > neighbours; their order makes the batches. As few as the
            neighbours at the end join the batch before them.
        count: n <= N; the last batch that is kept is cut to fit.
        batch: Candidates in a batch; 64 is published.
        neighbours: Others that a candidate is compared with: the published five count the candidate itself.

    Returns:
        Indices, ascending, shape (n,); ties go to the earlier batch.

    Raises:
        ValueError: If n is not in 1..N, N <= neighbours, or candidates are not finite.

    Source:
        Latent space filtering, as compared in arXiv 2606.13732 (public code, fallback without OLE).
    """
    x = matrix(candidates, "candidates")
    check_count(count, len(x))
    if len(x) <= neighbours:
        raise ValueError(f"rule latent-density needs at least {neighbours + 1} candidates, got {len(x)}")
    starts = np.arange(batch, len(x) - neighbours, batch)
    batches = np.split(np.arange(len(x)), starts)
    densities = [_density(x[rows], neighbours) for rows in batches]
    order = np.argsort(-np.array(densities), kind="stable")
    return np.sort(np.concatenate([batches[i] for i in order])[:count])


def _density(batch: Floats, neighbours: int) -> float:
    gaps, _ = NearestNeighbors(n_neighbors=neighbours).fit(batch).kneighbors()
    return float((1.0 / (gaps.mean(axis=1) + _LEAST_GAP)).mean())
