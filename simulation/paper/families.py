# SPDX-License-Identifier: Apache-2.0
"""Recursions of non-Gaussian families: does selection by a biased verifier collapse them too?

A loop of its own: the study refits each model from the one before, judges by one point that is no reference
of silos, and takes its draws in streams that do not depend on what is judged.

Source of every constant: sub-experiment NonGaussian_Modeling of arXiv 2606.13732's public code.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.studies.families import Family
from tailweave.protocols.streams import stream
from tailweave.simulation.paper.gaussian import Recursion, Setting
from tailweave.simulation.paper.shapes import Laplace, Shape, draw, facts, refit
from tailweave.simulation.paper.worlds import World, published_world

JUDGED = 4096
"""Fresh samples per evaluation, as published."""
DIRECTIONS = 64
"""Projections of the sliced distance, as published."""


def family_world(seed: int, *, dimensions: int) -> tuple[World, dict[Family, Shape]]:
    """Draw the world of a seed in the published order, and the true model of every family.

    All have mean mu* but the unequal mixture. The mixtures have means mu* +- 0.9 v along a random direction v
    of their own, covariances 0.7 S* + 1e-6 I and 0.9 S* + 1e-6 I, and weights (.5, .5) or (.8, .2). The
    Laplace scale sqrt(S*_jj / 2) gives it the variances of S*.

    Args:
        seed: Seed of ``numpy.random.default_rng``, as published; raises ``ValueError`` if negative.
        dimensions: d; the published runs have d = 10.
    """
    rng = np.random.default_rng(seed)
    world = published_world(rng, dimensions=dimensions)
    mean, covariance = world.mean, world.covariance
    return world, {
        "anisotropic": Gaussian(mean, covariance),
        "gmm": _mixture(mean, covariance, (0.5, 0.5), rng=rng),
        "unequal-gmm": _mixture(mean, covariance, (0.8, 0.2), rng=rng),
        "laplace": Laplace(mean, np.sqrt(np.diag(covariance) / 2)),
    }


def _mixture(
    mean: Floats, covariance: Floats, weights: tuple[float, float], *, rng: np.random.Generator
) -> Mixture:
    direction = rng.normal(size=len(mean))
    direction /= np.linalg.norm(direction)
    ridge = 1e-6 * np.eye(len(mean))
    means = np.stack([mean + 0.9 * direction, mean - 0.9 * direction])
    covariances = np.stack([0.7 * covariance + ridge, 0.9 * covariance + ridge])
    return Mixture(np.array(weights), means, covariances)


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
    world, truths = family_world(seed, dimensions=dimensions)
    model = truths[family]
    judge = _Judge(model, world.mean, partial(stream, seed, "paper", "families", family, "judge"))
    rng = stream(seed, "paper", "families", family, setting, recursion.samples)
    pool = np.empty((recursion.samples * recursion.generations, dimensions))
    wanted, rows = set(at), []
    for generation in range(recursion.generations + 1):
        if generation > 0:
            kept = _kept(model, setting, world, recursion, rng=rng)
            if setting.startswith("accumulate"):
                end = generation * recursion.samples
                pool[end - recursion.samples : end] = kept
                kept = pool[:end]
            model = refit(model, kept)
        if generation in wanted:
            rows.append({"generation": float(generation), **judge(model)})
    return rows


def _kept(
    model: Shape, setting: Setting, world: World, recursion: Recursion, *, rng: np.random.Generator
) -> Floats:
    if not setting.endswith("select"):
        return draw(model, recursion.samples, rng=rng)
    rows = draw(model, recursion.candidates, rng=rng)
    white = (rows - world.target) @ world.whitener
    cost_sq = np.einsum("ij,ij->i", white, white)
    return rows[np.argpartition(cost_sq, recursion.samples - 1)[: recursion.samples]]


class _Judge:
    """Compares a model with the true one on fresh samples."""

    def __init__(self, truth: Shape, mean: Floats, draws: Callable[[str], np.random.Generator]) -> None:
        self._draws, self._mean = draws, mean
        normals = draws("directions").normal(size=(DIRECTIONS, len(mean)))
        self._directions = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        rows = draw(truth, JUDGED, rng=draws("truth"))
        self._dispersion = dispersion(rows)
        self._sorted = np.sort(rows @ self._directions.T, axis=0)

    def __call__(self, model: Shape) -> dict[str, float]:
        fresh = draw(model, JUDGED, rng=self._draws("fresh"))
        gaps = np.abs(np.sort(fresh @ self._directions.T, axis=0) - self._sorted)
        return {
            "dispersion_ratio": dispersion(fresh) / self._dispersion,
            "sliced_w1": float(gaps.mean()),
            "mean_error_sq": float(cdist(fresh.mean(axis=0)[None], self._mean[None], "sqeuclidean")[0, 0]),
            "variance": float(fresh.var(axis=0).sum()),
            **facts(model),
        }


def dispersion(rows: Floats) -> float:
    """Return E|X - X'|^2 of two independent rows, 2 Tr(cov), in (units of the rows)^2."""
    return float(2.0 * rows.var(axis=0).sum())
