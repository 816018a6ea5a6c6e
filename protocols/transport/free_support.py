# SPDX-License-Identifier: Apache-2.0
"""Free-support Wasserstein barycenter: Scheme II of arXiv 2606.13732. Cost is |x - y|^2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tailweave.protocols.arrays import Floats, matrix, probabilities
from tailweave.protocols.transport.projection import project

RELATIVE_TOLERANCE_SQ = 1e-8
"""Mean squared step, over the total variance of the first support, at which the protocol stops."""


@dataclass(frozen=True)
class Barycenter:
    """A support that no longer moves, or whose iterations are over.

    Attributes:
        support: Atoms of equal mass, shape (s, d).
        movement_sq: Mean squared step of each iteration, (units of the rows)^2; the last is at most the
            tolerance if the fixed point was reached.
    """

    support: Floats
    movement_sq: tuple[float, ...]


def mean_step(support: Floats, images: Sequence[Floats], masses: Floats, step: float) -> tuple[Floats, float]:
    r"""Move a support towards the weighted mean of its images, once.

    .. math:: X \leftarrow (1 - t) X + t \sum_k w_k T_k(X)

    Args:
        support: X, shape (s, d).
        images: T_k(X), one a silo, shapes (s, d).
        masses: w, shape (k,), sum to one.
        step: t in (0, 1].

    Returns:
        The new support and its mean squared step.
    """
    mean = sum((w * image for w, image in zip(masses, images, strict=True)), np.zeros(1))
    change = step * (mean - support)
    return support + change, float((change**2).sum(axis=1).mean())


def tolerance_sq(support: Floats) -> float:
    """Return the mean squared step at which the protocol stops, from its first support (s, d)."""
    return RELATIVE_TOLERANCE_SQ * float(support.var(axis=0).sum())


def free_support(  # noqa: PLR0913 - a fixed point has a start, a step and two ends
    silos: Sequence[ArrayLike],
    weights: ArrayLike,
    support: ArrayLike,
    *,
    step: float = 1.0,
    iterations: int = 100,
    tolerance_sq: float = 1e-10,
    entropic_reg: float | None = None,
) -> Barycenter:
    r"""Iterate the support to a fixed point of the weighted mean of the silos' maps.

    .. math:: X \leftarrow (1 - t) X + t \sum_k w_k T_k(X)

    Args:
        silos: Rows of each silo, shapes (n_k, d).
        weights: Mass of each silo, shape (k,); scaled to sum to one.
        support: First support, shape (s, d); the limit is a local one and depends on it.
        step: t in (0, 1]; below 1 the same fixed points are reached, damped.
        iterations: Most iterations.
        tolerance_sq: Stops once the mean squared step is at most this, in (units of the rows)^2.
        entropic_reg: In units of the cost; None for exact maps.

    Returns:
        The support and how far it moved in each iteration.

    Raises:
        ValueError: If silos and weights differ in number, ``step`` or ``iterations`` is out of range, or a
            matrix is not finite or of other columns.
        ArithmeticError: If a transport problem is not solved.

    Source:
        Cuturi & Doucet (2014), ICML, algorithm 2; Alvarez-Esteban et al. (2016), J. Math. Anal. Appl.
        441:744.
    """
    mass = probabilities(weights, "weights")
    x = matrix(support, "support")
    if len(silos) != len(mass):
        raise ValueError(f"weights must hold one mass a silo: {len(silos)} silos, got {len(mass)}")
    if not 0 < step <= 1:
        raise ValueError(f"step must be in (0, 1], got {step}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    moved: list[float] = []
    for _ in range(iterations):
        images = [project(x, rows, entropic_reg=entropic_reg).image for rows in silos]
        x, last = mean_step(x, images, mass, step)
        moved.append(last)
        if last <= tolerance_sq:
            break
    return Barycenter(x, tuple(moved))
