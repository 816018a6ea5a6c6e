# SPDX-License-Identifier: Apache-2.0
"""References, by kind: what a silo releases, how the server weaves releases, how candidates are compared."""

from collections.abc import Mapping, Sequence
from typing import Never, Protocol

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.references import (
    BarycenterReference,
    GeodesicReference,
    QuantizedReference,
    ReleasingSpec,
    SlicedReference,
    TransportSpec,
)
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.references import barycenter, geodesic, histogram, quantized, sliced
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.pairs import PairDistances
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import Sliced, SlicedSummary
from tailweave.protocols.streams import stream

Summary = QuantizedSummary | SlicedSummary


class Reference(Protocol):
    """What selection compares with."""

    def potential(self, x: Floats) -> Floats:
        """Return E|x - r| for candidates x (n, d): shape (n,), feature units."""
        ...

    def pairs(self, x: Floats) -> PairDistances:
        """Return distances between candidates x (n, d) in the same form as the potential."""
        ...


def release(
    rows: Floats, spec: ReleasingSpec, space: PublicSpace, min_cluster_size: int, *, rng: np.random.Generator
) -> Summary:
    """Turn a silo's features (n, d) into the summary that leaves it.

    Raises:
        ValueError: If rows are too few, not finite or of another dimension.

    Privacy:
        See the kind's own ``summarise``; nothing is noised here.
    """
    if isinstance(spec, SlicedReference):
        return sliced.summarise(rows, spec, space)
    if isinstance(spec, QuantizedReference):
        return quantized.summarise(rows, spec.clusters, min_cluster_size, rng=rng)
    raise _unknown(spec)


def read_summary(
    arrays: Mapping[str, Floats], spec: ReleasingSpec, dimension: int, *, exact: bool = False
) -> Summary:
    """Rebuild a summary from wire arrays and check that it is the one asked for.

    Args:
        arrays: What the silo sent.
        spec: The reference that it is for.
        dimension: d, the number of feature columns.
        exact: Whether it was released without noise; a histogram's counts must then add up.

    Returns:
        The summary.

    Raises:
        ValueError: If parts are missing or do not fit, the summary has another shape than ``spec`` asks, or
            exact histograms cannot be counts of rows.
    """
    if isinstance(spec, SlicedReference):
        summary = SlicedSummary.from_arrays(arrays)
        if summary.sums.shape != sliced.sketch_shape(spec):
            raise ValueError(f"sketch must have shape {sliced.sketch_shape(spec)}, got {summary.sums.shape}")
        if exact and spec.basis == "histogram":
            histogram.check_counts(summary.sums, summary.count)
        return summary
    if not isinstance(spec, QuantizedReference):
        raise _unknown(spec)
    quantised = QuantizedSummary.from_arrays(arrays)
    if quantised.dimension != dimension:
        raise ValueError(f"centroids must have {dimension} columns, got {quantised.dimension}")
    if len(quantised.counts) > spec.clusters:
        raise ValueError(f"at most {spec.clusters} clusters were asked for, got {len(quantised.counts)}")
    return quantised


def weave(
    summaries: Sequence[Summary], spec: ReleasingSpec, *, weights: Floats | None = None
) -> dict[str, Floats]:
    """Aggregate summaries, sorted by silo, into the arrays of the proxy reference.

    Args:
        summaries: One a silo.
        spec: The reference that they are for.
        weights: Mass of each silo in any unit, shape (K,); its rows when not given. A silo of mass 0 is out.

    Returns:
        What ``proxy`` reads.

    Raises:
        ValueError: If there are none, not all are of the kind that ``spec`` names, or weights do not fit.
    """
    if isinstance(spec, SlicedReference):
        sketches = [s for s in summaries if isinstance(s, SlicedSummary)]
        _all_of_kind(sketches, summaries, spec)
        return {"sketch": sliced.aggregate(sketches, spec, weights=weights)}
    if not isinstance(spec, QuantizedReference):
        raise _unknown(spec)
    clusters = [s for s in summaries if isinstance(s, QuantizedSummary)]
    _all_of_kind(clusters, summaries, spec)
    return quantized.aggregate(clusters, weights=weights).arrays()


def _all_of_kind(found: Sequence[Summary], given: Sequence[Summary], spec: ReleasingSpec) -> None:
    if len(found) != len(given) or not given:
        raise ValueError(
            f"{spec.kind} needs summaries of its own kind, got {[type(s).__name__ for s in given]}"
        )


def _unknown(spec: Never) -> ValueError:
    """Say that a reference is nobody's here; a type checker finds the branch that is missing."""
    return ValueError(f"reference {spec!r} is not known here")


def proxy(arrays: Mapping[str, Floats], spec: ReleasingSpec | TransportSpec, space: PublicSpace) -> Reference:
    """Rebuild the proxy reference that the server wove; all silos rebuild the same one.

    Raises:
        ValueError: If parts are missing or do not fit ``spec`` and ``space``.
    """
    if isinstance(spec, BarycenterReference):
        return barycenter.read(arrays, spec, space.dimension)
    if isinstance(spec, GeodesicReference):
        return geodesic.read(arrays, spec, space.dimension)
    if isinstance(spec, SlicedReference):
        if set(arrays) != {"sketch"}:
            raise ValueError(f"sliced reference needs array 'sketch', got {sorted(arrays)}")
        return Sliced(arrays["sketch"], spec, space)
    if not isinstance(spec, QuantizedReference):
        raise _unknown(spec)
    mixture = QuantizedSummary.from_arrays(arrays)
    return quantized.pseudo_samples(mixture, spec.samples, rng=stream(space.seed, "reference", "quantized"))


__all__ = [
    "Empirical",
    "Reference",
    "ReleasingSpec",
    "Summary",
    "TransportSpec",
    "proxy",
    "read_summary",
    "release",
    "weave",
]
