# SPDX-License-Identifier: Apache-2.0
"""The worlds of the Gaussian theory: a true Gaussian, and the target a biased verifier prefers."""

from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats

Draws = np.random.RandomState | np.random.Generator
"""A stream of standard normals: numpy's legacy one (published traces) or a named one."""


@dataclass(frozen=True)
class World:
    """What is true, and what the verifier believes.

    Attributes:
        mean: True mean, shape (d,).
        covariance: True covariance, shape (d, d).
        target: Centre of the region the verifier prefers, shape (d,).
        whitener: W of the verifier's cost |(x - target) W|^2, shape (d, d).
    """

    mean: Floats
    covariance: Floats
    target: Floats
    whitener: Floats


def legacy_stream(seed: int) -> np.random.RandomState:
    """Return numpy's legacy stream, the same as ``np.random.seed(seed)`` and the global functions."""
    return np.random.RandomState(seed)


def published_world(draws: Draws, *, dimensions: int) -> World:
    """Draw a world in the published order: mu*, A, the shifted coordinates, their shifts.

    Half of the coordinates of the target are moved by normals of scale 3; the verifier's covariance is
    0.3 S*, with S* = A A' + 0.1 I.

    Args:
        draws: The stream of the run; it is left where the first trajectory starts.
        dimensions: d; the published runs have d = 10.

    Returns:
        The world.

    Source:
        ``gaussian_correct.py`` of arXiv 2606.13732's public code.
    """
    mean = draws.standard_normal(dimensions)
    factor = draws.standard_normal((dimensions, dimensions))
    covariance = factor @ factor.T + 0.1 * np.eye(dimensions)
    moved = draws.choice(dimensions, dimensions // 2, replace=False)
    target = mean.copy()
    target[moved] += draws.standard_normal(len(moved)) * 3
    return World(mean, covariance, target, np.linalg.cholesky(np.linalg.inv(0.3 * covariance)))


def isotropic_world(dimensions: int) -> World:
    """Return N(0, I) with an unbiased verifier: the case whose decay has a closed form."""
    origin, unit = np.zeros(dimensions), np.eye(dimensions)
    return World(origin, unit, origin, unit)
