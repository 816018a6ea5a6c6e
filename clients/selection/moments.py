# SPDX-License-Identifier: Apache-2.0
"""Mean and covariance of weighted points, and of a subset that grows by one point at a time."""

from dataclasses import dataclass

import numpy as np

from tailweave.clients.metrics.frechet import Moments
from tailweave.protocols.arrays import Floats
from tailweave.protocols.references.empirical import Empirical


def gaussian(points: Empirical) -> Moments:
    r"""Fit a Gaussian to weighted points, with a factor F of the unbiased covariance, F'F = S.

    .. math:: S = \sum_j m_j (r_j - \bar r)(r_j - \bar r)^T / (1 - \sum_j m_j^2)

    Args:
        points: At least two points (m, d) that have mass.

    Returns:
        Mean and factor; for equal masses S is the usual covariance over m - 1.

    Raises:
        ValueError: If all mass is on one point: its covariance is not known.

    Source:
        Reliability weights, as in ``numpy.cov`` with ``aweights``.
    """
    freedom = 1.0 - float(points.masses @ points.masses)
    if freedom <= 0.0:
        raise ValueError(f"a covariance needs at least two reference points, got {len(points.points)}")
    mean = points.masses @ points.points
    rows = (points.points - mean) * np.sqrt(points.masses / freedom)[:, None]
    return Moments(mean, np.linalg.qr(rows).R)


def principal(points: Empirical, axes: int) -> tuple[Floats, Floats]:
    """Return the largest variances (p,), descending, and their axes (d, p), p = min(axes, d).

    Raises:
        ValueError: If all mass is on one point.
    """
    factor = gaussian(points).factor
    _, scales, rows = np.linalg.svd(factor, full_matrices=True)
    variances = np.zeros(points.dimension)
    variances[: len(scales)] = scales**2
    kept = min(axes, points.dimension)
    return variances[:kept], rows[:kept].T


@dataclass
class Growing:
    """Mean (d,) and scatter (d, d) of the picks so far; the scatter over t - 1 is their covariance."""

    mean: Floats
    scatter: Floats
    count: int = 1

    @classmethod
    def of(cls, first: Floats) -> "Growing":
        """Begin with one point, shape (d,)."""
        return cls(first.copy(), np.zeros((len(first), len(first))))

    def add(self, point: Floats) -> None:
        """Take one more point (d,) in, by Welford's update."""
        gap = point - self.mean
        self.scatter += self.count / (self.count + 1) * np.outer(gap, gap)
        self.count += 1
        self.mean += gap / self.count
