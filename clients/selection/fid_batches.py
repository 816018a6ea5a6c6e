# SPDX-License-Identifier: Apache-2.0
"""Rule ``fid-batches``: keep whole batches of candidates, those nearest the reference in Fréchet distance."""

import numpy as np

from tailweave.clients.metrics.frechet import gaussian_w2_sq, moments
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.moments import gaussian
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.references.empirical import Empirical

BATCH = 100


def fid_batches(reference: Empirical, candidates: Floats, count: int) -> Ints:
    """Cut the candidates into consecutive batches of 100 and keep the batches of least Fréchet distance.

    Published is n = 100 b of N = 100 B. Otherwise the last batch that is kept is cut, and the N mod 100
    candidates behind the last whole batch, which the published rule drops, come after all batches.

    Args:
        reference: At least two points (m, d) with masses.
        candidates: Features, shape (N, d), N >= 100; their order makes the batches.
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,); ties go to the earlier batch.

    Raises:
        ValueError: If n is not in 1..N, N < 100, candidates do not fit, or the reference is a single point.

    Source:
        arXiv 2606.13732, public code; Heusel et al. (2017), eq. 6, in the feature space of the run.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    batches = len(x) // BATCH
    if batches == 0:
        raise ValueError(f"rule fid-batches needs at least {BATCH} candidates, got {len(x)}")
    target = gaussian(reference)
    index = np.arange(len(x))
    whole = index[: batches * BATCH].reshape(batches, BATCH)
    distances = [gaussian_w2_sq(moments(x[batch]), target) for batch in whole]
    ranked = whole[np.argsort(distances, kind="stable")].ravel()
    return np.sort(np.append(ranked, index[len(ranked) :])[:count])
