# SPDX-License-Identifier: Apache-2.0
"""Memorisation in one number: how the entropy of training sets goes with the novelty of what comes out."""

import math
from dataclasses import dataclass

import numpy as np

from tailweave.simulation.measurements import Measurements

SCORE, ENTROPY = "generalization_score", "training_entropy"
FEWEST = 3
"""Points below which a correlation says nothing."""


@dataclass(frozen=True)
class Relation:
    """Entropy of the training rows against the logarithm of the generalisation score.

    Attributes:
        points: Arm to its points (entropy, log score), one for each seed, silo and generation.
        pearson: Correlation over the points of all arms.
    """

    points: dict[str, list[tuple[float, float]]]
    pearson: float

    @property
    def count(self) -> int:
        """How many points the correlation rests on."""
        return sum(len(points) for points in self.points.values())


def relation(table: Measurements) -> Relation | None:
    r"""Relate entropy and generalisation score over all arms, seeds, silos and generations.

    .. math:: r = corr(H(D), \log GS)

    Returns:
        The points and their Pearson correlation, without unit; None with fewer than three points, or where
        one of the two does not vary. A score of 0, all samples copies, has no logarithm and is left out.

    Source:
        Shi et al. (2025), arXiv 2509.16499: r = .91 over runs and dataset sizes.
    """
    points = {arm: _points(table, arm) for arm in table.arms}
    every = np.array([point for found in points.values() for point in found])
    if len(every) < FEWEST or (every == every[0]).all(axis=0).any():
        return None
    return Relation(points, float(np.corrcoef(every.T)[0, 1]))


def _points(table: Measurements, arm: str) -> list[tuple[float, float]]:
    found = []
    for generation in table.generations(arm):
        scores = table.values(arm, generation, SCORE)
        entropies = table.values(arm, generation, ENTROPY)
        found += [(entropies[key], math.log(s)) for key, s in scores.items() if s > 0 and key in entropies]
    return found
