# SPDX-License-Identifier: Apache-2.0
"""Gaussian recursions of arXiv 2606.13732, all seeds advanced together and pools kept as moments.

A loop of its own, because the published traces can be met to nine digits only on numpy's legacy stream, with
its sampler, in the published order of draws. A pool is never stacked: count, mean and scatter are merged
batch by batch, so that a generation costs O(n) instead of O(t n). Candidates are ranked in the coordinates
they were drawn in, by one product with a d x d matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.simulation.paper.worlds import Draws, World

Setting = Literal["replace", "replace+select", "accumulate", "accumulate+select"]
SETTINGS: tuple[Setting, ...] = ("replace", "replace+select", "accumulate", "accumulate+select")
"""In the published order, in which they take their normals from one stream."""

RIDGE = 1e-6
"""Added to the diagonal of every fitted covariance, as published; the floor of the ratio is about 1e-7."""


@dataclass(frozen=True)
class Recursion:
    """How a model is refitted on its own samples.

    Attributes:
        samples: n, rows fitted (kept) per generation.
        alpha: Share of the candidates that selection keeps; N = int(n / alpha) are drawn.
        generations: T.
    """

    samples: int
    alpha: float
    generations: int

    def __post_init__(self) -> None:
        """Refuse to keep more than is drawn, or nothing."""
        if not (self.samples > 0 and 0 < self.alpha <= 1):
            raise ValueError(f"alpha must be in (0, 1] and samples positive, got {self}")

    @property
    def candidates(self) -> int:
        """N."""
        return int(self.samples / self.alpha)


@dataclass(frozen=True)
class Traces:
    """What is followed, one row a seed and one column a generation, 0 being the truth: shape (seeds, T + 1).

    Attributes:
        mean_error_sq: |mu_t - mu*|^2.
        target_error_sq: |mu_t - target|^2.
        variance: Tr(S_t).
    """

    mean_error_sq: Floats
    target_error_sq: Floats
    variance: Floats

    @property
    def ratio(self) -> Floats:
        """Tr(S_t) / Tr(S_0)."""
        found: Floats = self.variance / self.variance[:, :1]
        return found


@dataclass(frozen=True)
class _Moments:
    count: int
    mean: Floats  # (seeds, d)
    scatter: Floats  # (seeds, d, d), sum of squared deviations

    def merged(self, other: "_Moments") -> "_Moments":
        """Pool two samples (Chan, Golub & LeVeque 1983, Am. Stat. 37:242, their eq. 2.1)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        outer = gap[:, :, None] * gap[:, None, :]
        return _Moments(
            count,
            self.mean + gap * (other.count / count),
            self.scatter + other.scatter + outer * (self.count * other.count / count),
        )


def trajectories(
    setting: Setting, worlds: Sequence[World], draws: Sequence[Draws], recursion: Recursion
) -> Traces:
    """Follow one setting over all seeds.

    Generation 0 is the true model and the pool starts empty: real rows are never kept. Every generation each
    seed takes n (or N, with selection) times d standard normals from its own stream, row by row.

    Args:
        setting: Replace or accumulate, with or without selection of the n candidates nearest to the target.
        worlds: One world a seed.
        draws: One stream a seed; each is left where the next setting starts.
        recursion: n, alpha and T.

    Returns:
        The traces.

    Raises:
        ValueError: If ``worlds`` and ``draws`` differ in number.

    Source:
        arXiv 2606.13732 section on Gaussian modelling; ``gaussian_correct.py`` of its public code. A normal
        sample is mean + z sqrt(s) V with U, s, V the SVD of the covariance, as in numpy's legacy
        ``multivariate_normal``.
    """
    if len(worlds) != len(draws):
        raise ValueError(f"draws must hold one stream a world: {len(worlds)} worlds, got {len(draws)}")
    truth = np.stack([world.mean for world in worlds])
    target = np.stack([world.target for world in worlds])
    mean, covariance = truth, np.stack([world.covariance for world in worlds])
    pool: _Moments | None = None
    means, variances = [mean], [np.trace(covariance, axis1=1, axis2=2)]
    for _ in range(recursion.generations):
        pool_before = pool if setting.startswith("accumulate") else None
        factor = _factor(covariance)
        if setting.endswith("select"):
            batch = _selected(mean, factor, worlds, draws, recursion)
        else:
            batch = _sampled(mean, factor, draws, recursion.samples)
        pool = batch if pool_before is None else pool_before.merged(batch)
        mean, covariance = pool.mean, pool.scatter / pool.count + RIDGE * np.eye(mean.shape[1])
        means.append(mean)
        variances.append(np.trace(covariance, axis1=1, axis2=2))
    path = np.stack(means, axis=1)  # (seeds, T + 1, d)
    return Traces(
        ((path - truth[:, None]) ** 2).sum(axis=2),
        ((path - target[:, None]) ** 2).sum(axis=2),
        np.stack(variances, axis=1),
    )


def _factor(covariance: Floats) -> Floats:
    """Return L with L'L = S, shape (seeds, d, d), oriented by the SVD as in numpy's legacy sampler."""
    _, scales, axes = np.linalg.svd(covariance)
    factor: Floats = np.sqrt(scales)[:, :, None] * axes
    return factor


def _sampled(mean: Floats, factor: Floats, draws: Sequence[Draws], rows: int) -> _Moments:
    normals = [stream.standard_normal((rows, mean.shape[1])) for stream in draws]
    return _moments(mean, factor, normals)


def _selected(
    mean: Floats, factor: Floats, worlds: Sequence[World], draws: Sequence[Draws], recursion: Recursion
) -> _Moments:
    """Keep the candidates x of least |(x - target) W|^2, ranked as z (L W) + (mu - target) W."""
    kept, chosen = recursion.samples, []
    for mu, root, world, stream in zip(mean, factor, worlds, draws, strict=True):
        normals = stream.standard_normal((recursion.candidates, len(mu)))
        white = normals @ (root @ world.whitener)
        white += (mu - world.target) @ world.whitener
        cost_sq = np.einsum("ij,ij->i", white, white)  # (N,)
        chosen.append(normals[np.argpartition(cost_sq, kept - 1)[:kept]])
    return _moments(mean, factor, chosen)


def _moments(mean: Floats, factor: Floats, normals: Sequence[Floats]) -> _Moments:
    """Moments of x = mean + z L from those of z."""
    centres = np.stack([z.mean(axis=0) for z in normals])
    deviations = [z - centre for z, centre in zip(normals, centres, strict=True)]
    scatters = np.stack([z.T @ z for z in deviations])
    shift = np.einsum("rd,rde->re", centres, factor)
    return _Moments(len(normals[0]), mean + shift, factor.transpose(0, 2, 1) @ scatters @ factor)
