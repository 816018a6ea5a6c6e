# SPDX-License-Identifier: Apache-2.0
"""The model families of the non-Gaussian study: how each is sampled and refitted."""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.simulation.paper.expectation import Components, refit

RIDGE = 1e-6
"""Added to every fitted covariance diagonal and Laplace scale, as published."""


class Shape(Protocol):
    """A model that can be sampled and refitted on rows."""

    def sample(self, rows: int, *, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (rows, d)."""
        ...

    def refit(self, rows: Floats) -> Self:
        """Fit the same family to rows, shape (n, d)."""
        ...

    def facts(self) -> dict[str, float]:
        """Return what this family alone can tell about itself."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """One Gaussian, fitted by maximum likelihood.

    Attributes:
        mean: Shape (d,).
        covariance: Shape (d, d).
    """

    mean: Floats
    covariance: Floats

    def sample(self, rows: int, *, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (rows, d)."""
        return self.mean + rng.standard_normal((rows, len(self.mean))) @ np.linalg.cholesky(self.covariance).T

    def refit(self, rows: Floats) -> "Gaussian":
        """Fit mean and biased covariance, plus the ridge."""
        return Gaussian(
            rows.mean(axis=0), np.cov(rows, rowvar=False, bias=True) + RIDGE * np.eye(rows.shape[1])
        )

    def facts(self) -> dict[str, float]:
        """Return nothing beyond the common metrics."""
        return {}


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture with full covariances, fitted by warm-started EM.

    Attributes:
        components: Weights, means and covariances.
    """

    components: Components

    def sample(self, rows: int, *, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (rows, d), component by component."""
        of = self.components
        counts = rng.multinomial(rows, of.weights)
        parts = [
            mean + rng.standard_normal((count, len(mean))) @ np.linalg.cholesky(covariance).T
            for count, mean, covariance in zip(counts, of.means, of.covariances, strict=True)
        ]
        return np.concatenate(parts)

    def refit(self, rows: Floats) -> "Mixture":
        """Run EM from the present parameters, as published: at most 100 steps, tolerance 1e-3.

        A component that no row belongs to any more is kept, with a weight near 0.
        """
        return Mixture(refit(self.components, rows, ridge=RIDGE))

    def facts(self) -> dict[str, float]:
        """Return the smallest weight and the entropy of the weights, in nats."""
        weights = self.components.weights
        alive = weights[weights > 0]
        return {
            "smallest_weight": float(weights.min()),
            "weight_entropy": float(-(alive * np.log(alive)).sum()) + 0.0,
        }


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace coordinates, fitted by maximum likelihood.

    Attributes:
        location: Shape (d,).
        scale: Mean absolute deviation, shape (d,); the variance is 2 scale^2.
    """

    location: Floats
    scale: Floats

    def sample(self, rows: int, *, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (rows, d)."""
        return rng.laplace(self.location, self.scale, (rows, len(self.scale)))

    def refit(self, rows: Floats) -> "Laplace":
        """Fit median and mean absolute deviation from it, plus the ridge."""
        location = np.median(rows, axis=0)
        return Laplace(location, np.abs(rows - location).mean(axis=0) + RIDGE)

    def facts(self) -> dict[str, float]:
        """Return the mean of the scales, in units of the rows."""
        return {"mean_scale": float(self.scale.mean())}
