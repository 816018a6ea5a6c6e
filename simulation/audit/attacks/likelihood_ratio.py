# SPDX-License-Identifier: Apache-2.0
"""Attack ``likelihood ratio``: is this row in the sum? For summaries that sum known functions of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tailweave.protocols.arrays import Floats, matrix


@dataclass(frozen=True)
class Background:
    """What an attacker knows of the population from rows of its own.

    Attributes:
        mean: Mean feature, shape (p,).
        basis: Orthonormal directions in which features vary, shape (r, p).
        variances: Their variances, shape (r,), positive.
    """

    mean: Floats
    basis: Floats
    variances: Floats

    @classmethod
    def of(cls, features: Floats) -> "Background":
        """Learn from auxiliary features (m, p), m >= 2, by the eigenvectors of their m x m Gram matrix.

        Raises:
            ValueError: If features are not a finite matrix of 2 rows or more that differ.
        """
        features = matrix(features, "auxiliary features")
        centred = features - features.mean(axis=0)
        values, vectors = np.linalg.eigh(centred @ centred.T)
        kept = values > 1e-10 * max(values[-1], 1e-300)
        if len(features) < 2 or not kept.any():
            raise ValueError(f"auxiliary features must hold 2 different rows, got shape {features.shape}")
        basis = (centred.T @ (vectors[:, kept] / np.sqrt(values[kept]))).T
        return cls(features.mean(axis=0), basis, values[kept] / (len(features) - 1))


@dataclass(frozen=True)
class Suspects:
    """Candidate rows, prepared once for many releases.

    Attributes:
        background: The attacker's.
        gaps: Features less the background mean, shape (c, p).
        along: Their coordinates in the background basis, shape (c, r).
    """

    background: Background
    gaps: Floats
    along: Floats

    @classmethod
    def of(cls, features: Floats, background: Background) -> "Suspects":
        """Prepare candidate features (c, p)."""
        gaps = features - background.mean
        return cls(background, gaps, gaps @ background.basis.T)

    @cached_property
    def _squares(self) -> tuple[Floats, Floats]:
        return np.einsum("ij,ij->i", self.gaps, self.gaps), self.along**2

    def scores(self, total: Floats, rows: int, noise_sd: float, ridges: Sequence[float]) -> Floats:
        r"""Return log-likelihood ratios "in the sum" against "not in it", up to terms that all share.

        .. math:: s = (\phi - \mu)^T S^{-1} (R - n \mu) - \tfrac12 (\phi - \mu)^T S^{-1} (\phi - \mu),
                  \quad S = n \Sigma + \sigma^2 I + n \lambda I

        Args:
            total: The release R, shape (p,): a sum of features over ``rows`` rows, plus noise.
            rows: n.
            noise_sd: sigma, the standard deviation of the noise in each coordinate.
            ridges: Values of lambda to try, in mean variances of a feature, positive: the background does not
                know every direction in which features vary.

        Returns:
            Shape (ridges, c).

        Source:
            Derived here: two Gaussians of one covariance, phi - mu apart.
        """
        known = self.background
        gap = total - rows * known.mean
        linear, within = self.gaps @ gap, known.basis @ gap
        norms_sq, along_sq = self._squares
        unit = float(known.variances.sum()) / known.mean.size
        found = np.empty((len(ridges), len(linear)))
        for index, ridge in enumerate(ridges):
            rest = rows * ridge * unit + noise_sd**2
            gains = 1.0 / (rows * known.variances + rest) - 1.0 / rest  # S^-1 = I/rest + V' diag(gains) V
            found[index] = linear / rest + self.along @ (gains * within)
            found[index] -= 0.5 * (norms_sq / rest + along_sq @ gains)
        return found
