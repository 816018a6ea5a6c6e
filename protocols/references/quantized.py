# SPDX-License-Identifier: Apache-2.0
"""Reference ``quantized``: k-means centroids with counts and diagonal variances, woven into one mixture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, matrix, probabilities
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.references import Summarised
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.masses import silo_masses
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.streams import stream


@dataclass(frozen=True)
class QuantizedSummary:
    """What one silo releases; also, with masses for counts, what the server weaves.

    Attributes:
        centroids: Cluster means, shape (k, d), feature units.
        counts: Rows (or mass) in each cluster, shape (k,), positive.
        variances: Within-cluster variance of each coordinate, shape (k, d), squared feature units.
    """

    centroids: Floats
    counts: Floats
    variances: Floats

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        matrix(self.centroids, "centroids")
        matrix(self.variances, "variances", columns=self.centroids.shape[1])
        k = len(self.centroids)
        if self.counts.shape != (k,) or len(self.variances) != k:
            raise ValueError(
                f"summary of {k} clusters has counts {self.counts.shape}, variances {self.variances.shape}"
            )
        if not np.isfinite(self.counts).all() or (self.counts <= 0).any():
            raise ValueError(f"counts must be finite and positive, got {self.counts.min()}")
        if (self.variances < 0).any():
            raise ValueError(f"variances must not be negative, got {self.variances.min()}")

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.centroids.shape[1])

    @property
    def count(self) -> float:
        """Rows (or mass) in all clusters."""
        return float(self.counts.sum())

    def arrays(self) -> dict[str, Floats]:
        """Return the parts by name, as they cross the wire."""
        return {"centroids": self.centroids, "counts": self.counts, "variances": self.variances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "QuantizedSummary":
        """Rebuild a summary; raises ``ValueError`` when parts are missing, left over or do not fit."""
        expected = {"centroids", "counts", "variances"}
        if set(arrays) != expected:
            raise ValueError(f"quantized summary needs arrays {sorted(expected)}, got {sorted(arrays)}")
        return cls(**{name: arrays[name] for name in sorted(expected)})


def summarise(
    rows: Floats, clusters: int, min_cluster_size: int, *, rng: np.random.Generator
) -> QuantizedSummary:
    """Quantise rows by k-means and merge clusters that are too small to release.

    The smallest cluster below ``min_cluster_size`` joins the cluster with the nearest centroid, until none
    is left. A cluster's variance is that of its own rows, so a merged pair keeps its spread.

    Args:
        rows: Shape (n, d), feature units, n >= ``min_cluster_size``.
        clusters: k asked for; fewer come back after merging or when n is small.
        min_cluster_size: Fewest rows that a released cluster may hold.
        rng: Stream of the k-means seeding.

    Returns:
        A summary of at most k clusters.

    Raises:
        ValueError: If there are fewer rows than ``min_cluster_size``.

    Privacy:
        None by itself: sums are exact, so two releases that differ in one row give that row away.

    Source:
        W2-optimal quantisation is k-means (Graf & Luschgy 2000, section 4.1); Lloyd via scikit-learn.
    """
    rows = matrix(rows, "rows")
    if len(rows) < min_cluster_size:
        raise Refusal(f"a silo must hold at least min-cluster-size = {min_cluster_size} rows: it has fewer")
    from sklearn.cluster import KMeans  # slow to import, and most of a deployment clusters nothing

    k = min(clusters, len(rows) // min_cluster_size)
    state = int(rng.integers(2**31))
    labels = KMeans(k, n_init=1, random_state=state).fit(rows).labels_.astype(np.int64)
    members = [rows[group] for group in _merge_small(rows, labels, min_cluster_size)]
    return QuantizedSummary(
        np.stack([m.mean(axis=0) for m in members]),
        np.array([len(m) for m in members], dtype=np.float64),
        np.stack([m.var(axis=0) for m in members]),
    )


def _merge_small(rows: Floats, labels: Ints, smallest: int) -> list[Ints]:
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    while len(groups) > 1:
        sizes = [len(group) for group in groups]
        small = int(np.argmin(sizes))
        if sizes[small] >= smallest:
            break
        lone = groups.pop(small)
        centroids = np.stack([rows[group].mean(axis=0) for group in groups])
        nearest = int(np.argmin(((centroids - rows[lone].mean(axis=0)) ** 2).sum(axis=1)))
        groups[nearest] = np.sort(np.concatenate([groups[nearest], lone]))
    return groups


def aggregate(summaries: Sequence[QuantizedSummary], *, weights: Floats | None = None) -> QuantizedSummary:
    """Weave summaries into the mixture of all clusters, each weighted by its rows.

    Args:
        summaries: One a silo, all of the same d.
        weights: Mass of each silo in any unit, shape (K,); its rows when not given. A silo of mass 0 is out.

    Returns:
        All clusters, with counts scaled to sum to 1.

    Raises:
        ValueError: If there are none, dimensions disagree, or weights do not fit.
    """
    if not summaries or len({s.dimension for s in summaries}) != 1:
        raise ValueError(f"summaries must share one dimension, got {[s.dimension for s in summaries]}")
    masses = silo_masses([s.counts.sum() for s in summaries], weights)
    used = [(s, mass / s.counts.sum()) for s, mass in zip(summaries, masses, strict=True) if mass > 0]
    return QuantizedSummary(
        np.concatenate([s.centroids for s, _ in used]),
        probabilities(np.concatenate([s.counts * factor for s, factor in used]), "counts"),
        np.concatenate([s.variances for s, _ in used]),
    )


def pseudo_samples(mixture: QuantizedSummary, count: int, *, rng: np.random.Generator) -> Empirical:
    """Draw points from the mixture of diagonal Gaussians, with stratified cluster sizes.

    Cluster sizes are proportional with random rounding (systematic sampling), so the expected share of a
    cluster is exactly its mass and its sampling error is below one point.

    Args:
        mixture: Clusters with masses.
        count: m, how many points.
        rng: Stream of the draw; silos share it, so that all compare with the same points.

    Returns:
        m points of equal mass.
    """
    masses = probabilities(mixture.counts, "masses")
    edges = np.floor(np.concatenate([[0.0], np.cumsum(masses)]) * count + rng.random())
    edges[-1] = edges[0] + count
    sizes = np.diff(edges).astype(np.int64)  # (k,)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    noise = rng.standard_normal((len(owner), mixture.dimension))
    return Empirical.of(mixture.centroids[owner] + noise * np.sqrt(mixture.variances[owner]))


@implements(QuantizedReference)
class _Quantized(Summarised[QuantizedReference, QuantizedSummary]):
    summary = QuantizedSummary

    @property
    def mechanism(self) -> Mechanism:
        from tailweave.protocols.privacy.mechanisms import lloyd  # makes summaries of this module

        return lloyd.MECHANISM

    def summarise(
        self, rows: Floats, space: PublicSpace, smallest: int, rng: np.random.Generator
    ) -> QuantizedSummary:
        return summarise(rows, self.spec.clusters, smallest, rng=rng)

    def read(self, arrays: Mapping[str, Floats], dimension: int, exact: bool) -> QuantizedSummary:
        found = QuantizedSummary.from_arrays(arrays)
        if found.dimension != dimension:
            raise ValueError(f"centroids must have {dimension} columns, got {found.dimension}")
        if len(found.counts) > self.spec.clusters:
            raise ValueError(f"at most {self.spec.clusters} clusters were asked for, got {len(found.counts)}")
        return found

    def weave(self, summaries: Sequence[QuantizedSummary], weights: Floats | None) -> dict[str, Floats]:
        return aggregate(summaries, weights=weights).arrays()

    def proxy(self, arrays: Mapping[str, Floats], space: PublicSpace) -> Empirical:
        mixture = QuantizedSummary.from_arrays(arrays)
        return pseudo_samples(mixture, self.spec.samples, rng=stream(space.seed, "reference", "quantized"))
