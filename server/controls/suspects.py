# SPDX-License-Identifier: Apache-2.0
r"""Which silos lie far from the others: one distance a silo, and the limit that each must keep.

The cost is |x - y|^2; distances are roots, in feature units. A silo is flagged, never dropped: silos differ
honestly too, and a modest lie (half a standard deviation in every feature) passes. Measured on five silos of
2,000 rows in 32-D, Dirichlet concentrations .3, 1 and 10, 36 draws: of 180 honest silos 2 are flagged by
centroids, 2 by exact sketches, 1 at epsilon 4. Six coarse lies are always caught at 10; skew hides some: at
.3, a silo that sends one region only is caught 3 times of 12, a sphere 12 by centroids and 5 by sketches.
"""

from collections.abc import Sequence

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.pot import ot
from tailweave.protocols.references import Summary, proxy, weave
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import Sliced, potentials
from tailweave.protocols.streams import stream
from tailweave.server.controls.weights import cap_weights

FEWEST = 3
"""With two silos, each is as far from the other: nobody can be told apart."""
QUANTIZED_SLACK = 0.15
"""W2 between centroids never falls to zero (neighbouring centroids differ), so 15 % over it says much."""
SLICED_SLACK = 1.0
"""Potentials of silos that agree differ by little, and that little varies: up to twice the median passes."""
HARMLESS = 0.25
"""Potentials that differ by less than this share of their own spread: at a weight of .25, less than 1/16."""
PROBES = 256
"""Points at which the potentials of sketches are compared."""
_MAX_ITERATIONS = 1_000_000
_NOISE_DRAWS = 16
_SAMPLING = 5.0


def robust_limit(distances: Floats, slack: float) -> float:
    r"""Return the distance over which a silo is suspect.

    .. math:: m + \max(3.5 \cdot 1.48\,\mathrm{MAD},\; \mathrm{slack} \cdot m), \qquad m = \mathrm{median}

    1.48 MAD estimates the standard deviation of normal data; the second term keeps silos that all lie
    equally far from suspecting each other for a trifle. Distances are of shape (K,).

    Returns:
        The limit, in the distances' unit; infinite for fewer than three silos.

    Source:
        Modified z-score over 3.5: Iglewicz & Hoaglin (1993), How to Detect and Handle Outliers.
    """
    if len(distances) < FEWEST:
        return float("inf")
    median = float(np.median(distances))
    spread = 1.48 * float(np.median(np.abs(distances - median)))
    return median + max(3.5 * spread, slack * median)


@implements(QuantizedReference, part="distances")
def _of_clusters(
    summaries: Sequence[QuantizedSummary], spec: QuantizedReference, space: PublicSpace, noise: float
) -> tuple[Floats, Floats]:
    return quantized_distances(summaries, cap_weights([summary.count for summary in summaries]))


def quantized_distances(summaries: Sequence[QuantizedSummary], weights: Floats) -> tuple[Floats, Floats]:
    r"""Return each silo's Wasserstein distance from the mixture of the others, and the limit it must keep.

    The distance is between mixtures of diagonal Gaussians, so a lie about variances shows as well:

    .. math:: MW_2^2 = \min_{\pi} \sum_{ij} \pi_{ij} (|c_i - c'_j|^2 + |s_i - s'_j|^2)

    with centroids c, standard deviations s, and couplings pi of the masses; exact, by linear programming.
    The centroid of n_i rows has sampling variance v_i / n_i, and a k-means of fewer, coarser clusters fitted
    to its own few rows adds more: MW_2^2 rises by 4.6 times that variance from 2,000 rows to 200 of the same
    law (measured, d = 32). So a silo is allowed five times its excess over the median silo. To claim few rows
    for that sake is to give up weight.

    Args:
        summaries: One a silo, K >= 2, all of the same d.
        weights: Mass of each silo in the mixture, shape (K,), positive; capped, or a silo that claims a
            hundred times its rows becomes what the others are compared with.

    Returns:
        Distances and limits, each of shape (K,), feature units.

    Raises:
        ValueError: If there are fewer than two summaries, or weights do not fit.

    Source:
        Delon & Desolneux (2020), SIAM J. Imaging Sci. 13:936-970, proposition 4.
    """
    if len(summaries) < 2 or weights.shape != (len(summaries),) or not (weights > 0).all():
        raise ValueError(f"{len(summaries)} summaries need as many positive weights, got {weights.tolist()}")
    masses = [s.counts / s.counts.sum() for s in summaries]
    places = [np.hstack([s.centroids, np.sqrt(s.variances)]) for s in summaries]  # (k, 2d)
    distances = np.empty(len(summaries))
    for index in range(len(summaries)):
        others = [i for i in range(len(summaries)) if i != index]
        mixed = np.concatenate([masses[i] * weights[i] for i in others])
        cost_sq = ot.dist(places[index], np.concatenate([places[i] for i in others]))
        w2_sq = ot.emd2(masses[index], mixed / mixed.sum(), cost_sq, numItermax=_MAX_ITERATIONS)
        distances[index] = np.sqrt(max(float(w2_sq), 0.0))
    sampling_sq = np.array([s.variances.sum() / s.counts.sum() for s in summaries])
    excess_sq = _SAMPLING * np.maximum(sampling_sq - np.median(sampling_sq), 0.0)
    return distances, np.sqrt(robust_limit(distances, QUANTIZED_SLACK) ** 2 + excess_sq)


def potential_distances(
    summaries: Sequence[Summary], spec: SummarisedReference, space: PublicSpace, noise: float
) -> tuple[Floats, Floats]:
    r"""Return how far each silo's potential is from the median silo's, and the limit that it must keep.

    .. math:: D_k^2 = \mathrm{Var}_x \, [h_k(x) - \mathrm{median}_i h_i(x)]

    over public probes x ~ N(center, scale^2 I); a constant in h changes no pick, so it does not count. The
    potential averages over directions, so noise that was added for privacy does not grow with L, as it would
    in a distance between the sketches themselves.
    The limit is the robust one, not below ``HARMLESS`` of the median potential's spread, plus three times
    what the noise alone contributes to a sketch, of this standard deviation on every entry of the sums: it
    grows as 1 / count, and a small silo must not be flagged for it.

    Returns:
        Distances and limits, each of shape (K,), feature units.

    Raises:
        ValueError: If a sketch has another shape than ``spec`` says.
    """
    rng = stream(space.seed, "controls", "probes")
    probes = space.center + space.scale * rng.standard_normal((PROBES, space.dimension))
    alone = [weave([summary], spec) for summary in summaries]
    if isinstance(spec, SlicedReference):
        found = potentials([arrays["sketch"] for arrays in alone], spec, space, probes)
    else:
        found = np.stack([proxy(arrays, spec, space).potential(probes) for arrays in alone])
    median = np.median(found, axis=0)  # (probes,)
    distances: Floats = (found - median).std(axis=1)
    limit = max(robust_limit(distances, SLICED_SLACK), HARMLESS * float(median.std()))
    if noise == 0.0 or not isinstance(spec, SlicedReference):
        return distances, np.full(len(summaries), limit)
    counts = np.array([s.count for s in summaries])
    return distances, limit + 3.0 * noise * _response(spec, space, probes, rng=rng) / counts


def _response(
    spec: SlicedReference, space: PublicSpace, probes: Floats, *, rng: np.random.Generator
) -> float:
    """Return the typical change of the potential over probes for unit noise on every entry of a sketch."""
    shape = spec.shape
    still = Sliced(np.zeros(shape), spec, space).potential(probes)
    draws = [Sliced(rng.standard_normal(shape), spec, space).potential(probes) for _ in range(_NOISE_DRAWS)]
    return float(np.sqrt((np.stack(draws) - still).var(axis=1).mean()))
