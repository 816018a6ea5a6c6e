# SPDX-License-Identifier: Apache-2.0
"""Rule ``ds3``: keep the clusters of candidates that are nearest to a reference point, and draw from them."""

import numpy as np
from numpy.random import Generator
from sklearn.cluster import KMeans

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.clusters import Ds3
from tailweave.protocols.references.empirical import Empirical


@implements(Ds3)
def rule(spec: Ds3, candidates: Candidates, reference: Empirical, rng: Generator) -> Ints:
    """As the contract says; see ``ds3``."""
    return ds3(reference, candidates.features, candidates.count, rng=rng, clusters=spec.clusters)


def ds3(reference: Empirical, candidates: Floats, count: int, *, rng: Generator, clusters: int = 200) -> Ints:
    """Cluster the candidates, keep clusters nearest to at least one reference point, draw n uniformly.

    While the kept clusters hold fewer than n, the number of clusters is halved; one cluster holds all.

    Args:
        reference: Points (m, d); their masses are not used.
        candidates: Features, shape (N, d); at most N clusters.
        count: n <= N.
        rng: Stream of the k-means start and of the draw.
        clusters: At first; 200 is published.

    Returns:
        Indices, ascending, shape (n,).

    Raises:
        ValueError: If n is not in 1..N or candidates do not fit.

    Source:
        Hulkund et al. (2025), DataS^3, as compared in arXiv 2606.13732; Lloyd via scikit-learn.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    state = int(rng.integers(2**31))
    clusters = min(clusters, len(x))
    kept = retained(reference, x, clusters, state)
    while len(kept) < count:
        clusters //= 2
        kept = retained(reference, x, clusters, state)
    return np.sort(rng.choice(kept, size=count, replace=False))


def retained(reference: Empirical, x: Floats, clusters: int, state: int) -> Ints:
    """Return the members, ascending, of those of the clusters that a reference point is nearest to."""
    fitted = KMeans(clusters, n_init=1, random_state=state).fit(x)
    nearest = np.unique(fitted.predict(reference.points))
    return np.flatnonzero(np.isin(fitted.labels_, nearest))
