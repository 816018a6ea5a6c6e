# SPDX-License-Identifier: Apache-2.0
"""Free-support Wasserstein barycenter by exact plans: Scheme II of arXiv 2606.13732. Cost is |x - y|^2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import ot
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from protocols.arrays import Floats, matrix, probabilities

_PIVOTS = 100_000_000
"""Network-simplex steps that no plan of the sizes used here comes near."""


@dataclass(frozen=True)
class Projection:
    """What one silo answers about a support.

    Attributes:
        image: Where each atom is sent, shape (s, d).
        cost_sq: W_2^2 between support and rows, (units of the rows)^2.
    """

    image: Floats
    cost_sq: float


@dataclass(frozen=True)
class Barycenter:
    """A support that no longer moves.

    Attributes:
        support: Atoms of equal mass, shape (s, d).
        movement_sq: Mean squared step of each iteration, (units of the rows)^2; the last is below the
            tolerance if the fixed point was reached.
    """

    support: Floats
    movement_sq: tuple[float, ...]


def project(support: ArrayLike, rows: ArrayLike) -> Projection:
    r"""Send each atom to the mean of the rows its mass goes to: the barycentric projection of the plan.

    .. math:: T(x_i) = s \sum_j G_{ij} y_j, G = argmin_G \sum G_{ij} |x_i - y_j|^2

    Args:
        support: Atoms of equal mass, shape (s, d).
        rows: The silo's rows, of equal mass, shape (n, d).

    Returns:
        Images and the transport cost.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix, or the columns differ.
        ArithmeticError: If the network simplex does not reach the optimum.

    Privacy:
        Reveals projections of real rows: with s >= n an image is a real row, or a mean of very few
        (published-facts section 0 item 7: 100 % of the rows to 1e-6). Nothing is noised here.

    Source:
        Cuturi & Doucet (2014), ICML, eq. 8; network simplex of POT.
    """
    x = matrix(support, "support")
    y = matrix(rows, "rows", columns=x.shape[1])
    cost_sq = cdist(x, y, "sqeuclidean")
    plan, log = ot.emd([], [], cost_sq, numItermax=_PIVOTS, log=True)  # [] is uniform mass
    if log["warning"] is not None:
        raise ArithmeticError(f"exact transport of {len(x)} x {len(y)} failed: {log['warning']}")
    return Projection(len(x) * (plan @ y), float((plan * cost_sq).sum()))


def free_support(
    silos: Sequence[ArrayLike],
    weights: ArrayLike,
    support: ArrayLike,
    *,
    step: float = 1.0,
    iterations: int = 100,
    tolerance_sq: float = 1e-10,
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
        image = sum((w * project(x, rows).image for w, rows in zip(mass, silos, strict=True)), np.zeros(1))
        change = step * (image - x)
        x = x + change
        moved.append(float((change**2).sum(axis=1).mean()))
        if moved[-1] <= tolerance_sq:
            break
    return Barycenter(x, tuple(moved))
