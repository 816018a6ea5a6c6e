# SPDX-License-Identifier: Apache-2.0
"""Reference ``sliced``: a linear sketch of one-dimensional projections on public directions.

A silo releases a sum over its rows, so sketches add: the sum of silos' sketches is the sketch of the
pooled rows. Distances use E over directions of |theta.x| = |x| / c_d.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.references import Summarised, cosine, histogram
from tailweave.protocols.references.masses import silo_masses
from tailweave.protocols.references.pairs import CosinePairs, SlicedPairs
from tailweave.protocols.references.processor import HERE, Processor
from tailweave.protocols.references.sliced_residuals import CosineResidual, HistogramResidual


def slicing_constant(dimension: int) -> float:
    """Return c_d = sqrt(pi) Gamma((d+1)/2) / Gamma(d/2), with |v| = c_d E|theta.v| for unit theta in R^d.

    Source:
        Surface integral of |theta_1| over the sphere; 7.03 at d = 32.
    """
    return float(np.sqrt(np.pi) * np.exp(gammaln((dimension + 1) / 2) - gammaln(dimension / 2)))


@dataclass(frozen=True)
class SlicedSummary:
    """What one silo releases.

    Attributes:
        sums: Sum over rows of the basis functions, shape (L, J): cos(pi j u_l)/j, or (L, B) bin counts.
        count: Number of rows behind the sums, positive.
    """

    sums: Floats
    count: float

    def __post_init__(self) -> None:
        """Refuse sums that are not a finite matrix, and counts that are not positive."""
        matrix(self.sums, "sketch sums")
        if not (np.isfinite(self.count) and self.count > 0):
            raise ValueError(f"sketch count must be finite and positive, got {self.count}")

    def arrays(self) -> dict[str, Floats]:
        """Return the parts by name, as they cross the wire."""
        return {"sums": self.sums, "count": np.array([self.count])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "SlicedSummary":
        """Rebuild a summary; raises ``ValueError`` when parts are missing, left over or do not fit."""
        if set(arrays) != {"sums", "count"}:
            raise ValueError(f"sliced summary needs arrays ['count', 'sums'], got {sorted(arrays)}")
        if arrays["count"].shape != (1,):
            raise ValueError(f"sketch count must have shape (1,), got {arrays['count'].shape}")
        return cls(arrays["sums"], float(arrays["count"][0]))


def summarise(rows: Floats, spec: SlicedReference, space: PublicSpace) -> SlicedSummary:
    """Sum the basis functions of all projections of rows (n, d).

    Raises:
        ValueError: If rows are empty, not finite or of another dimension.

    Privacy:
        None by itself: sums are exact, so two releases that differ in one row narrow that row down.
    """
    rows = matrix(rows, "rows", columns=space.dimension)
    positions = space.project(rows, space.directions(spec.directions), spec.range)
    if spec.basis == "cosine":
        return SlicedSummary(cosine.basis(positions, spec.coefficients).sum(axis=0), float(len(rows)))
    return SlicedSummary(histogram.counts(positions, spec.bins), float(len(rows)))


def aggregate(
    summaries: Sequence[SlicedSummary], spec: SlicedReference, *, weights: Floats | None = None
) -> Floats:
    """Weave sketches into one a row, shape (L, J) or (L, B): their mean, or per-direction barycenters.

    Raises:
        ValueError: If there are none, a sketch has another shape than ``spec`` says, or weights do not fit.
    """
    shape = spec.shape
    if not summaries or any(s.sums.shape != shape for s in summaries):
        raise ValueError(f"sketches must have shape {shape}, got {[s.sums.shape for s in summaries]}")
    masses = silo_masses([s.count for s in summaries], weights)
    if spec.aggregate == "barycenter":
        return histogram.barycenter([s.sums / s.count for s in summaries], masses)
    total = np.zeros(shape)
    for summary, mass in zip(summaries, masses, strict=True):  # one after another, whatever their number
        total += summary.sums * (mass / summary.count)
    mean: Floats = total / masses.sum()
    return mean


def potentials(sketches: Sequence[Floats], spec: SlicedReference, space: PublicSpace, x: Floats) -> Floats:
    """Return ``Sliced.potential`` of K sketches at the same x (n, d), shape (K, n); x is projected once.

    Raises:
        ValueError: As ``Sliced.potential``.
    """
    one = Sliced(sketches[0], spec, space)
    positions = one.positions(x)
    if spec.basis == "histogram":
        return np.stack([one.unit * histogram.potential(positions, sketch) for sketch in sketches])
    functions = cosine.basis(positions, spec.coefficients).reshape(len(positions), -1)
    offsets, factor = cosine.offsets(positions), 4.0 / (np.pi**2 * spec.directions)
    return np.stack(
        [
            one.unit * (offsets + cosine.mean_offset(sketch) - functions @ sketch.ravel() * factor)
            for sketch in sketches
        ]
    )


@dataclass(frozen=True)
class Sliced:
    """A proxy reference known through its projections only.

    Attributes:
        sketch: Mean of the basis functions, shape (L, J), or bin masses, shape (L, B).
        spec: Basis, directions and range.
        space: Public space; fixes directions, centre and scale.
    """

    sketch: Floats
    spec: SlicedReference
    space: PublicSpace

    def __post_init__(self) -> None:
        """Refuse a sketch of another shape than the options say."""
        if matrix(self.sketch, "sketch").shape != self.spec.shape:
            raise ValueError(f"sketch must have shape {self.spec.shape}, got {self.sketch.shape}")

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return self.space.dimension

    @property
    def unit(self) -> float:
        """Feature distance that one unit of mean position stands for, c_d included."""
        return 2.0 * self.spec.range * self.space.scale * slicing_constant(self.dimension)

    def potential(self, x: Floats) -> Floats:
        """Return h(x) = c_d mean_l E|theta_l.x - theta_l.r|, an estimate of E|x - r|.

        Args:
            x: Candidates, shape (n, d).

        Returns:
            Shape (n,), feature units; Monte-Carlo error over directions falls as 1/sqrt(L).

        Raises:
            ValueError: If x has another number of columns or a non-finite entry.
        """
        found: Floats = potentials([self.sketch], self.spec, self.space, x)[0]
        return found

    def pairs(self, x: Floats) -> CosinePairs | SlicedPairs:
        """Return sliced distances between candidates x (n, d), with the same directions and basis."""
        positions = self.positions(x)
        if self.spec.basis == "histogram":
            return SlicedPairs(positions.astype(np.float32), self.unit)
        functions = cosine.basis(positions, self.spec.coefficients).reshape(len(positions), -1)
        offsets = cosine.offsets(positions).astype(np.float32)
        return CosinePairs(functions.astype(np.float32), offsets, self.spec.directions, self.unit)

    def residual(self, processor: Processor = HERE) -> CosineResidual | HistogramResidual:
        """Return a residual of no picks, with the same directions and basis."""
        directions = self.space.directions(self.spec.directions)

        def positions(x: Floats) -> Floats:
            points = matrix(x, "candidates", columns=self.dimension)
            return self.space.project(points, directions, self.spec.range)

        made = CosineResidual if self.spec.basis == "cosine" else HistogramResidual
        return made(self.sketch, self.unit, positions, processor)

    def positions(self, x: Floats) -> Floats:
        """Return the places of x (n, d) on each direction, shape (n, L), in the sketch's range."""
        points = matrix(x, "candidates", columns=self.dimension)
        return self.space.project(points, self.space.directions(self.spec.directions), self.spec.range)


@implements(SlicedReference)
class _Sliced(Summarised[SlicedReference, SlicedSummary]):
    summary = SlicedSummary

    @property
    def mechanism(self) -> Mechanism:
        from tailweave.protocols.privacy.mechanisms import cosine, histogram  # make summaries of this module

        return cosine.MECHANISM if self.spec.basis == "cosine" else histogram.MECHANISM

    def summarise(
        self, rows: Floats, space: PublicSpace, smallest: int, rng: np.random.Generator
    ) -> SlicedSummary:
        return summarise(rows, self.spec, space)

    def read(self, arrays: Mapping[str, Floats], dimension: int, exact: bool) -> SlicedSummary:
        found, shape = SlicedSummary.from_arrays(arrays), self.spec.shape
        if found.sums.shape != shape:
            raise ValueError(f"sketch must have shape {shape}, got {found.sums.shape}")
        if exact and self.spec.basis == "histogram":
            histogram.check_counts(found.sums, found.count)
        return found

    def weave(self, summaries: Sequence[SlicedSummary], weights: Floats | None) -> dict[str, Floats]:
        return {"sketch": aggregate(summaries, self.spec, weights=weights)}

    def proxy(self, arrays: Mapping[str, Floats], space: PublicSpace) -> Sliced:
        if set(arrays) != {"sketch"}:
            raise ValueError(f"sliced reference needs array 'sketch', got {sorted(arrays)}")
        return Sliced(arrays["sketch"], self.spec, space)

    def shrunk(
        self, woven: dict[str, Floats], noise: Floats, samples: Floats, space: PublicSpace
    ) -> dict[str, Floats]:
        from tailweave.protocols.privacy.shrinkage import shrink  # reads sketches of this module

        return {"sketch": shrink(woven["sketch"], noise, samples, self.spec, space)}
