# SPDX-License-Identifier: Apache-2.0
"""Generator ``gaussian``: one multivariate Gaussian, fitted by maximum likelihood."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from tailweave.clients.generators import doubles
from tailweave.clients.generators.levels import draw_levels
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.gaussian import GaussianSpec
from tailweave.protocols.kinds.implementing import implements


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian over rows.

    Attributes:
        mean: Shape (p,), data units.
        covariance: Shape (p, p), squared data units, positive definite.
        sort: What it draws; None for rows of unnamed columns.
    """

    mean: Floats
    covariance: Floats
    sort: Sort | None = None

    def __post_init__(self) -> None:
        """Refuse parameters that do not fit together."""
        if self.mean.ndim != 1 or self.covariance.shape != (self.mean.size, self.mean.size):
            raise ValueError(
                f"mean {self.mean.shape} and covariance {self.covariance.shape} do not fit together"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise ValueError("mean and covariance must be finite")

    @classmethod
    def fit(cls, samples: Samples, *, ridge: float) -> Self:
        """Fit mean and covariance (biased by 1/n: maximum likelihood) and add ``ridge`` to the diagonal.

        Args:
            samples: n >= 1 of them; with one the covariance is the ridge alone.
            ridge: Positive, squared data units.

        Returns:
            The fitted Gaussian.
        """
        rows = samples.values
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(mean, centred.T @ centred / len(rows) + ridge * np.eye(rows.shape[1]), samples.sort)

    @cached_property
    def _factor(self) -> Floats:
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw rows, shape (count, p); levels of a table's categories as ``levels.py`` says."""
        blocks = () if self.sort is None else self.sort.blocks
        if blocks:
            levelled = draw_levels(self.mean, self.covariance, blocks, count, rng=rng)
            return Samples.of(levelled, sort=self.sort)
        draws = self.mean + rng.standard_normal((count, self.mean.size)) @ self._factor.T
        return Samples.of(draws, sort=self.sort)

    def log_probabilities(self, samples: Samples) -> Floats:
        """Return the log density of each row, shape (n,)."""
        return log_density(samples.values, self.mean, self._factor)

    def arrays(self) -> dict[str, Floats]:
        """Return the parameters by name."""
        return {"mean": self.mean, "covariance": self.covariance}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats], sort: Sort | None = None) -> Self:
        """Rebuild from ``arrays()``; raises ``ValueError`` when a part is missing or does not fit."""
        if set(arrays) != {"mean", "covariance"}:
            raise ValueError(f"a gaussian needs arrays ['covariance', 'mean'], got {sorted(arrays)}")
        return cls(arrays["mean"], arrays["covariance"], sort)


def log_density(rows: Floats, mean: Floats, factor: Floats) -> Floats:
    """Return the log density of a Gaussian.

    Args:
        rows: Shape (n, p), data units.
        mean: Shape (p,), data units.
        factor: Lower Cholesky factor of the covariance, shape (p, p).

    Returns:
        Shape (n,).
    """
    white = solve_triangular(factor, (rows - mean).T, lower=True)  # (p, n)
    constant = 0.5 * len(mean) * np.log(2.0 * np.pi) + np.log(np.diag(factor)).sum()
    density: Floats = -0.5 * (white**2).sum(axis=0) - constant
    return density


@implements(GaussianSpec)
class GaussianKind:
    """Fits Gaussians, and reads them back."""

    @staticmethod
    def fit(spec: GaussianSpec, samples: Samples, **_: object) -> Gaussian:
        """Fit by maximum likelihood; nothing is random, and no fit goes on from another."""
        return Gaussian.fit(samples, ridge=spec.ridge)

    @staticmethod
    def read(
        spec: GaussianSpec, arrays: Mapping[str, NDArray[np.generic]], sort: Sort | None = None
    ) -> Gaussian:
        """Rebuild from ``arrays()``."""
        return Gaussian.from_arrays(doubles(arrays), sort)
