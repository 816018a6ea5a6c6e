# SPDX-License-Identifier: Apache-2.0
"""Recursions of non-Gaussian families: does selection by a biased verifier collapse them too?

Source of every constant: sub-experiment NonGaussian_Modeling of arXiv 2606.13732's public code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats
from tailweave.protocols.streams import stream
from tailweave.simulation.paper.expectation import Components
from tailweave.simulation.paper.gaussian import Recursion, Setting
from tailweave.simulation.paper.shapes import Gaussian, Laplace, Mixture, Shape
from tailweave.simulation.paper.spec import Family
from tailweave.simulation.paper.worlds import World

JUDGED = 4096
"""Fresh samples per evaluation, as published."""
DIRECTIONS = 64
"""Projections of the sliced distance, as published."""


@dataclass(frozen=True)
class FamilyWorld:
    """The Gaussian world of a seed and the true model of every family.

    Attributes:
        world: mu*, S*, target and the verifier's whitener.
        truths: The true models; all have mean mu* but the unequal mixture.
    """

    world: World
    truths: Mapping[Family, Shape]


def family_world(seed: int, *, dimensions: int) -> FamilyWorld:
    """Draw the world of a seed in the published order.

    The mixtures have means mu* +- 0.9 v along a random direction v of their own, covariances 0.7 S* + 1e-6 I
    and 0.9 S* + 1e-6 I, and weights (.5, .5) or (.8, .2). The Laplace scale sqrt(S*_jj / 2) gives it the
    variances of S*.

    Args:
        seed: Seed of ``numpy.random.default_rng``, as published.
        dimensions: d; the published runs have d = 10.

    Returns:
        The world.

    Raises:
        ValueError: If ``seed`` is negative.
    """
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=dimensions)
    factor = rng.normal(size=(dimensions, dimensions))
    covariance = factor @ factor.T + 0.1 * np.eye(dimensions)
    moved = rng.choice(dimensions, dimensions // 2, replace=False)
    target = mean.copy()
    target[moved] += rng.normal(size=len(moved)) * 3
    truths: dict[Family, Shape] = {
        "anisotropic": Gaussian(mean, covariance),
        "gmm": _mixture(mean, covariance, (0.5, 0.5), rng=rng),
        "unequal-gmm": _mixture(mean, covariance, (0.8, 0.2), rng=rng),
        "laplace": Laplace(mean, np.sqrt(np.diag(covariance) / 2)),
    }
    whitener = np.linalg.cholesky(np.linalg.inv(0.3 * covariance))
    return FamilyWorld(World(mean, covariance, target, whitener), truths)


def _mixture(
    mean: Floats, covariance: Floats, weights: tuple[float, float], *, rng: np.random.Generator
) -> Mixture:
    direction = rng.normal(size=len(mean))
    direction /= np.linalg.norm(direction)
    ridge = 1e-6 * np.eye(len(mean))
    means = np.stack([mean + 0.9 * direction, mean - 0.9 * direction])
    covariances = np.stack([0.7 * covariance + ridge, 0.9 * covariance + ridge])
    return Mixture(Components(np.array(weights), means, covariances))


def follow(
    family: Family, setting: Setting, seed: int, recursion: Recursion, *, dimensions: int, at: Sequence[int]
) -> list[dict[str, float]]:
    """Run one recursion and judge the models of some generations.

    Training and judging draw from streams of their own, so ``at`` does not change what is trained, and all
    settings are judged with the same normals and directions.

    Args:
        family: Whose true model starts the recursion.
        setting: Replace or accumulate, with or without selection; the real rows are never kept.
        seed: Names the world and the streams.
        recursion: n, alpha and T.
        dimensions: d.
        at: Generations to judge, in 0..T.

    Returns:
        One row of metrics a judged generation, in order, with its ``generation``.

    Raises:
        ValueError: If ``at`` leaves 0..T, fewer candidates than samples are drawn, or ``seed`` is negative.
    """
    if not at or min(at) < 0 or max(at) > recursion.generations:
        raise ValueError(f"at must hold generations in 0..{recursion.generations}, got {list(at)}")
    found = family_world(seed, dimensions=dimensions)
    judge = _Judge(found, family, seed)
    rng = stream(seed, "paper", "families", family, setting, recursion.samples)
    model = found.truths[family]
    pool = np.empty((recursion.samples * recursion.generations, dimensions))
    wanted, rows = set(at), []
    for generation in range(recursion.generations + 1):
        if generation > 0:
            kept = _kept(model, setting, found.world, recursion, rng=rng)
            if setting.startswith("accumulate"):
                end = generation * recursion.samples
                pool[end - recursion.samples : end] = kept
                kept = pool[:end]
            model = model.refit(kept)
        if generation in wanted:
            rows.append({"generation": float(generation), **judge(model)})
    return rows


def _kept(
    model: Shape, setting: Setting, world: World, recursion: Recursion, *, rng: np.random.Generator
) -> Floats:
    if not setting.endswith("select"):
        return model.sample(recursion.samples, rng=rng)
    candidates = int(recursion.samples / recursion.alpha)
    if not 0 < recursion.samples <= candidates:
        raise ValueError(f"alpha must be in (0, 1] and samples positive, got {recursion}")
    rows = model.sample(candidates, rng=rng)
    white = (rows - world.target) @ world.whitener
    cost_sq = np.einsum("ij,ij->i", white, white)
    return rows[np.argpartition(cost_sq, recursion.samples - 1)[: recursion.samples]]


class _Judge:
    """Compares a model with the true one on fresh samples."""

    def __init__(self, found: FamilyWorld, family: Family, seed: int) -> None:
        self._path = (seed, "paper", "families", family, "judge")
        self._mean = found.world.mean
        normals = stream(*self._path, "directions").normal(size=(DIRECTIONS, len(self._mean)))
        self._directions = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        truth = found.truths[family].sample(JUDGED, rng=stream(*self._path, "truth"))
        self._dispersion = dispersion(truth)
        self._sorted = np.sort(truth @ self._directions.T, axis=0)

    def __call__(self, model: Shape) -> dict[str, float]:
        fresh = model.sample(JUDGED, rng=stream(*self._path, "fresh"))
        gaps = np.abs(np.sort(fresh @ self._directions.T, axis=0) - self._sorted)
        return {
            "dispersion_ratio": dispersion(fresh) / self._dispersion,
            "sliced_w1": float(gaps.mean()),
            "mean_error_sq": float(cdist(fresh.mean(axis=0)[None], self._mean[None], "sqeuclidean")[0, 0]),
            "variance": float(fresh.var(axis=0).sum()),
            **model.facts(),
        }


def dispersion(rows: Floats) -> float:
    """Return E|X - X'|^2 of two independent rows, 2 Tr(cov), in (units of the rows)^2."""
    return float(2.0 * rows.var(axis=0).sum())
