# SPDX-License-Identifier: Apache-2.0
"""Rule ``fid-batches``: keep whole batches of candidates, those nearest the reference in Fréchet distance."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.metrics.frechet import gaussian_w2_sq, moments
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.moments import gaussian
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.batches import FidBatches
from tailweave.protocols.references.empirical import Empirical


@implements(FidBatches)
def rule(spec: FidBatches, candidates: Candidates, reference: Empirical, rng: Generator) -> Ints:
    """As the contract says; see ``fid_batches``."""
    return fid_batches(reference, candidates.features, candidates.count, batch=spec.batch)


def fid_batches(reference: Empirical, candidates: Floats, count: int, *, batch: int = 100) -> Ints:
    """Cut the candidates into consecutive batches and keep the batches of least Fréchet distance.

    Published is n = 100 b of N = 100 B. Otherwise the last batch that is kept is cut, and the N mod 100
    candidates behind the last whole batch, which the published rule drops, come after all batches.

    Args:
        reference: At least two points (m, d) with masses.
        candidates: Features, shape (N, d), at least one batch; their order makes the batches.
        count: n <= N.
        batch: Candidates in a batch; 100 is published.

    Returns:
        Indices, ascending, shape (n,); ties go to the earlier batch.

    Raises:
        ValueError: If n is not in 1..N, N is below a batch, or candidates or a single point do not fit.

    Source:
        arXiv 2606.13732, public code; Heusel et al. (2017), eq. 6, in the feature space of the run.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    batches = len(x) // batch
    if batches == 0:
        raise ValueError(f"rule fid-batches needs at least {batch} candidates, got {len(x)}")
    target = gaussian(reference)
    index = np.arange(len(x))
    whole = index[: batches * batch].reshape(batches, batch)
    distances = [gaussian_w2_sq(moments(x[rows]), target) for rows in whole]
    ranked = whole[np.argsort(distances, kind="stable")].ravel()
    return np.sort(np.append(ranked, index[len(ranked) :])[:count])
