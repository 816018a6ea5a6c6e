# SPDX-License-Identifier: Apache-2.0
"""Attack ``sliced flow``: move particles until their sketch is the silo's; works on tiny silos."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import cosine
from tailweave.protocols.references.sliced import SlicedSummary

_WAVES = 16
"""Cosine coefficients that a histogram is turned into before its particles are sorted into place."""
_SORTINGS = 100
_STARTS, _STEPS = 4, 300
"""Of the quasi-Newton search; the start with the smallest gap is kept."""


@dataclass(frozen=True)
class _Goal:
    """Mean cosine coefficients (L, J) to reach with particles, and the linear map to positions."""

    mean: Floats
    directions: Floats
    center: Floats
    width: float  # feature units of the interval [0, 1]

    def positions(self, particles: Floats) -> Floats:
        return (particles - self.center) @ self.directions.T / self.width + 0.5  # (n, L)

    def loss(self, flat: Floats) -> tuple[float, Floats]:
        """Return the squared gap and its gradient; positions are not clipped, so cosines wrap smoothly."""
        particles = flat.reshape(-1, self.center.size)
        u = self.positions(particles)
        residual = cosine.basis(u, self.mean.shape[1]).mean(axis=0) - self.mean  # (L, J)
        j = np.arange(1, self.mean.shape[1] + 1)
        slopes = cosine_slopes(u, residual, j) * (2.0 / (len(particles) * self.width))
        return float((residual**2).sum()), (slopes @ self.directions).ravel()


def cosine_slopes(u: Floats, residual: Floats, j: Floats) -> Floats:
    """Return sum_j residual_lj d/du cos(pi j u)/j at positions u (n, L): shape (n, L)."""
    total = np.zeros_like(u)
    for index, frequency in enumerate(j):
        total -= np.pi * np.sin(np.pi * frequency * u) * residual[:, index]
    return total


def sliced_flow(
    summary: SlicedSummary, spec: SlicedReference, space: PublicSpace, *, rng: np.random.Generator
) -> Floats:
    """Guess all rows of a silo from its sketch.

    Args:
        summary: What the silo sent; its count is the number of particles, rounded, at least 1.
        spec: Basis, directions and range.
        space: Public space.
        rng: Stream of the starts, drawn from the public Gaussian.

    Returns:
        Shape (round(count), d), feature units.

    Source:
        Derived here: L-BFGS on the squared gap between cosine coefficients;
        histograms are turned into cosine coefficients first and sorted into place afterwards.
    """
    count = max(1, round(summary.count))
    mean = summary.sums / summary.count
    if spec.basis == "histogram":
        middle = (np.arange(spec.bins) + 0.5) / spec.bins
        mean = mean @ cosine.basis(middle[:, None], min(_WAVES, spec.bins))[:, 0, :]
    goal = _Goal(mean, space.directions(spec.directions), space.center, 2.0 * spec.range * space.scale)
    best, smallest = np.empty(0), np.inf
    for _ in range(_STARTS):
        start = space.center + 0.5 * space.scale * rng.standard_normal((count, space.dimension))
        found = minimize(goal.loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
        if found.fun < smallest:
            best, smallest = found.x.reshape(start.shape), found.fun
    return _sorted_into(best, summary.sums, goal) if spec.basis == "histogram" else best


def _sorted_into(particles: Floats, counts: Floats, goal: _Goal) -> Floats:
    """Alternate: give the sorted particles the histogram's quantiles, solve for the particles."""
    bins = counts.shape[1]
    levels = (np.arange(len(particles)) + 0.5) / len(particles)
    cumulative = np.cumsum(np.maximum(counts, 0.0), axis=1)
    index = np.stack([np.searchsorted(line / line[-1], levels) for line in cumulative])  # (L, n)
    quantiles = (np.minimum(index, bins - 1) + 0.5) / bins
    solve = np.linalg.pinv(goal.directions)  # (d, L)
    for _ in range(_SORTINGS):
        ranks = goal.positions(particles).argsort(axis=0).argsort(axis=0)  # (n, L)
        wanted = np.take_along_axis(quantiles.T, ranks, axis=0)
        particles = goal.center + ((wanted - 0.5) * goal.width) @ solve.T
    return particles
