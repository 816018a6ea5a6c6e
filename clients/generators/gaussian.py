# SPDX-License-Identifier: Apache-2.0
"""Generator ``gaussian``: one multivariate Gaussian, fitted by maximum likelihood."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators import doubles
from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.kinds.generators.gaussian import GaussianSpec
from tailweave.protocols.kinds.implementing import implements


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian over rows.

    Attributes:
        mean: Shape (p,), data units.
        covariance: Shape (p, p), squared data units, positive definite.
    """

    mean: Floats
    covariance: Floats

    def __post_init__(self) -> None:
        """Refuse parameters that do not fit together."""
        if self.mean.ndim != 1 or self.covariance.shape != (self.mean.size, self.mean.size):
            raise ValueError(
                f"mean {self.mean.shape} and covariance {self.covariance.shape} do not fit together"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise ValueError("mean and covariance must be finite")

    @classmethod
    def fit(cls, rows: Floats, *, ridge: float) -> Self:
        """Fit mean and covariance (biased by 1/n: maximum likelihood) and add ``ridge`` to the diagonal.

        Args:
            rows: Shape (n, p), n >= 1; with one row the covariance is the ridge alone.
            ridge: Positive, squared data units.

        Returns:
            The fitted Gaussian.

        Raises:
            ValueError: If rows are empty or not finite.
        """
        rows = matrix(rows, "training rows")
        mean = rows.mean(axis=0)
        centred = rows - mean
        return cls(mean, centred.T @ centred / len(rows) + ridge * np.eye(rows.shape[1]))

    @cached_property
    def _factor(self) -> Floats:
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)

    def sample(self, count: int, *, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (count, p)."""
        draws: Floats = self.mean + rng.standard_normal((count, self.mean.size)) @ self._factor.T
        return draws

    def arrays(self) -> dict[str, Floats]:
        """Return the parameters by name."""
        return {"mean": self.mean, "covariance": self.covariance}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Rebuild from ``arrays()``; raises ``ValueError`` when a part is missing or does not fit."""
        if set(arrays) != {"mean", "covariance"}:
            raise ValueError(f"a gaussian needs arrays ['covariance', 'mean'], got {sorted(arrays)}")
        return cls(arrays["mean"], arrays["covariance"])


@implements(GaussianSpec)
class GaussianKind:
    """Fits Gaussians, and reads them back."""

    @staticmethod
    def fit(spec: GaussianSpec, rows: Floats, **_: object) -> Gaussian:
        """Fit by maximum likelihood; nothing is random, and no fit goes on from another."""
        return Gaussian.fit(rows, ridge=spec.ridge)

    @staticmethod
    def read(spec: GaussianSpec, arrays: Mapping[str, NDArray[np.generic]]) -> Gaussian:
        """Rebuild from ``arrays()``."""
        return Gaussian.from_arrays(doubles(arrays))
