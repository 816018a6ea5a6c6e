# SPDX-License-Identifier: Apache-2.0
"""Generator ``gaussian-mixture``: full-covariance Gaussians, fitted by scikit-learn's EM."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from tailweave.clients.generators import doubles
from tailweave.clients.generators.gaussian import log_density
from tailweave.clients.generators.levels import draw_levels
from tailweave.clients.samples import Samples, Sort
from tailweave.clients.sorts import Block
from tailweave.protocols.arrays import Floats, Ints, matrix, probabilities
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.kinds.implementing import implements


@dataclass(frozen=True)
class Mixture:
    """A mixture of k Gaussians over rows.

    Attributes:
        weights: Shape (k,), sum to 1.
        means: Shape (k, p), data units.
        covariances: Shape (k, p, p), squared data units, positive definite.
        sort: What it draws; None for rows of unnamed columns.
    """

    weights: Floats
    means: Floats
    covariances: Floats
    sort: Sort | None = None

    def __post_init__(self) -> None:
        """Refuse parameters that do not fit together."""
        k, p = matrix(self.means, "mixture means").shape
        if self.weights.shape != (k,) or self.covariances.shape != (k, p, p):
            raise ValueError(
                f"{k} components in {p} columns do not fit weights {self.weights.shape} "
                f"and covariances {self.covariances.shape}"
            )
        probabilities(self.weights, "mixture weights")
        if not np.isfinite(self.covariances).all():
            raise ValueError("mixture covariances must be finite")

    @classmethod
    def fit(cls, samples: Samples, *, components: int, ridge: float, rng: np.random.Generator) -> Self:
        """Fit by expectation maximisation from a k-means start.

        A fit that stops at scikit-learn's 100 iterations is used as it is, as in the published loops.

        Args:
            samples: n >= ``components`` of them.
            components: k.
            ridge: Added to each covariance diagonal, squared data units.
            rng: Stream of the k-means start.

        Returns:
            The fitted mixture.

        Raises:
            ValueError: If there are fewer rows than components.
        """
        rows = samples.values
        if len(rows) < components:
            raise ValueError(
                f"generator.components must be at most the {len(rows)} training rows, got {components}"
            )
        model = GaussianMixture(components, reg_covar=ridge, random_state=int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # fewer distinct rows than clusters, or slow EM
            model.fit(rows)
        return cls(model.weights_, model.means_, model.covariances_, samples.sort)

    @cached_property
    def _factors(self) -> Floats:
        return np.asarray(np.linalg.cholesky(self.covariances), dtype=np.float64)

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw rows in random order of components, shape (count, p); levels as ``levels.py`` says."""
        owner = rng.choice(len(self.weights), size=count, p=self.weights / self.weights.sum())
        blocks = () if self.sort is None else self.sort.blocks
        if blocks:
            return Samples.of(self._levelled(owner, blocks, rng), sort=self.sort)
        noise = rng.standard_normal((count, self.means.shape[1]))
        rows = self.means[owner]
        for k in np.unique(owner):
            mine = owner == k
            rows[mine] += noise[mine] @ self._factors[k].T
        return Samples.of(rows, sort=self.sort)

    def _levelled(self, owner: Ints, blocks: Sequence[Block], rng: np.random.Generator) -> Floats:
        rows = np.empty((len(owner), self.means.shape[1]))
        for k in np.unique(owner):
            mine = owner == k
            moments = self.means[k], self.covariances[k]
            rows[mine] = draw_levels(*moments, blocks, int(mine.sum()), rng=rng)
        return rows

    def log_probabilities(self, samples: Samples) -> Floats:
        """Return the log density of each row, shape (n,)."""
        parts = [
            log_density(samples.values, *part) for part in zip(self.means, self._factors, strict=True)
        ]  # k of shape (n,)
        shares = self.weights / self.weights.sum()
        density: Floats = logsumexp(np.stack(parts), axis=0, b=shares[:, None])
        return density

    def arrays(self) -> dict[str, Floats]:
        """Return the parameters by name."""
        return {"weights": self.weights, "means": self.means, "covariances": self.covariances}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats], sort: Sort | None = None) -> Self:
        """Rebuild from ``arrays()``; raises ``ValueError`` when a part is missing or does not fit."""
        expected = {"weights", "means", "covariances"}
        if set(arrays) != expected:
            raise ValueError(f"a gaussian-mixture needs arrays {sorted(expected)}, got {sorted(arrays)}")
        return cls(arrays["weights"], arrays["means"], arrays["covariances"], sort)


@implements(GaussianMixtureSpec)
class MixtureKind:
    """Fits mixtures, and reads them back."""

    @staticmethod
    def fit(spec: GaussianMixtureSpec, samples: Samples, *, rng: np.random.Generator, **_: object) -> Mixture:
        """Fit by EM from a start of its own: no fit goes on from another."""
        return Mixture.fit(samples, components=spec.components, ridge=spec.ridge, rng=rng)

    @staticmethod
    def read(
        spec: GaussianMixtureSpec, arrays: Mapping[str, NDArray[np.generic]], sort: Sort | None = None
    ) -> Mixture:
        """Rebuild from ``arrays()``."""
        return Mixture.from_arrays(doubles(arrays), sort)
