# SPDX-License-Identifier: Apache-2.0
"""Rule ``k-means``: as many clusters as picks, and from each the candidate nearest its center."""

import numpy as np
from numpy.random import Generator
from sklearn.cluster import KMeans

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.plain import KMeansRule


@implements(KMeansRule)
def rule(spec: KMeansRule, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """As the contract says; see ``k_means``."""
    return k_means(candidates.features, candidates.count, rng=rng)


def k_means(candidates: Floats, count: int, *, rng: Generator) -> Ints:
    """Cut the candidates into n clusters and keep one of each; no reference is used.

    Fewer than n different candidates leave clusters empty: in their stead the unused candidates nearest
    their centers are kept.

    Args:
        candidates: Features, shape (N, d). The published rule clusters raw pixels, without an extractor:
            that is feature map ``identity`` here.
        count: n <= N, also the number of clusters.
        rng: Stream of the k-means++ start.

    Returns:
        Indices in the order of the clusters, those for empty clusters last, shape (n,); ties go to the
        lower index.

    Raises:
        ValueError: If n is not in 1..N or candidates are not finite.

    Source:
        Lin et al. (2023), as compared in arXiv 2606.13732; the published code takes the member nearest the
        center, where its description says a random one. Lloyd via scikit-learn.
    """
    x = matrix(candidates, "candidates")
    check_count(count, len(x))
    fitted = KMeans(count, n_init=1, random_state=int(rng.integers(2**31))).fit(x)
    centers = np.asarray(fitted.cluster_centers_, dtype=np.float64)
    own_sq = ((x - centers[fitted.labels_]) ** 2).sum(axis=1)
    order = np.lexsort((own_sq, fitted.labels_))  # by cluster, the nearest first; stable
    filled, first = np.unique(fitted.labels_[order], return_index=True)
    picks = order[first].tolist()
    for empty in np.setdiff1d(np.arange(count), filled):
        gap_sq = ((x - centers[empty]) ** 2).sum(axis=1)
        gap_sq[picks] = np.inf
        picks.append(int(np.argmin(gap_sq)))
    return np.array(picks, dtype=np.int64)
