# SPDX-License-Identifier: Apache-2.0
"""Fréchet distance: how far apart the means and covariances of two samples are. No root is taken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tailweave.protocols.arrays import Floats, matrix


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean (d,) of a sample, and a factor F (min(n, d), d) of its N-1 covariance, F'F = S."""

    mean: Floats
    factor: Floats


def moments(samples: ArrayLike) -> Moments:
    """Fit a Gaussian by its first two moments.

    The factor is the R of a QR decomposition of the centred rows: unlike a root of the covariance it loses
    no digits in flat directions, and it exists for fewer rows than columns.

    Args:
        samples: Rows, shape (n, d). A single row has zero covariance.

    Returns:
        The mean and a factor of the N-1 covariance.

    Raises:
        ValueError: If ``samples`` is not a finite, non-empty matrix.
    """
    x = matrix(samples, "samples")
    mean = x.mean(axis=0)
    return Moments(mean, np.linalg.qr((x - mean) / np.sqrt(max(len(x) - 1, 1))).R)


def gaussian_w2_sq(a: Moments, b: Moments) -> float:
    r"""Squared 2-Wasserstein distance of two Gaussians.

    .. math:: |\mu_a - \mu_b|^2 + tr S_a + tr S_b - 2 tr (S_a^{1/2} S_b S_a^{1/2})^{1/2}

    The last trace is the nuclear norm of :math:`F_a F_b'`: both are the sum of the square roots of the
    eigenvalues of :math:`S_a S_b`, as :math:`S = F'F`. Singular values never turn negative, so singular
    covariances need no ridge.

    Args:
        a: First Gaussian, of dimension d.
        b: Second Gaussian, of dimension d.

    Returns:
        Squared distance in (units of the samples)^2; what rounding leaves below zero is zero.

    Raises:
        ValueError: If the dimensions differ.

    Source:
        Dowson and Landau (1982), J. Multivariate Anal. 12:450-455.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"b must have {len(a.mean)} dimensions as a has, got {len(b.mean)}")
    shift = ((a.mean - b.mean) ** 2).sum()
    overlap = np.linalg.norm(a.factor @ b.factor.T, ord="nuc")
    return max(0.0, float(shift + (a.factor**2).sum() + (b.factor**2).sum() - 2.0 * overlap))


def frechet(generated: ArrayLike, truth: ArrayLike) -> float:
    """Fréchet distance between samples: ``gaussian_w2_sq`` of the Gaussians fitted to both.

    Args:
        generated: Generated rows, shape (m, d).
        truth: True rows, shape (r, d).

    Returns:
        Squared distance in (units of the features)^2, no root. One row has zero covariance. Two samples
        of one Gaussian lie at (d + 5)/4 tr(S) (1/m + 1/r) to first order if it is round, else below that:
        tr(S) (1/m + 1/r) from the means, the rest from the covariances.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix or the columns differ.

    Source:
        Heusel et al. (2017), arXiv 1706.08500, Eq. 6.
    """
    x = matrix(generated, "generated")
    return gaussian_w2_sq(moments(x), moments(matrix(truth, "truth", columns=x.shape[1])))
