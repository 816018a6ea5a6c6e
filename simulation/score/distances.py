# SPDX-License-Identifier: Apache-2.0
"""How far synthetic rows are from real ones, beside how far one half of the real rows is from the other."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from tailweave.clients.metrics.energy import energy_from_means
from tailweave.clients.metrics.frechet import gaussian_w2_sq, moments
from tailweave.clients.metrics.neighbours import fidelity_and_cover, neighbour_radii, rounding
from tailweave.clients.metrics.yardstick import NEIGHBOURS
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.streams import stream
from tailweave.simulation.score.groups import MOST_COLUMNS, spread

SPLITS = 20
MOST_ROWS = 1000
FEWEST_ROWS = 10
"""Rows a side below which no distance is measured."""
_INSIDE = (0.025, 0.975)


@dataclass(frozen=True)
class Spread:
    """A number over splits: the mean, and between which two values 95 % of the splits lie."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Return that of a number's values, one a split."""
        low, high = np.quantile(values, _INSIDE).tolist()
        return cls(float(np.mean(values)), low, high)


@dataclass(frozen=True)
class Distance:
    """One metric.

    Attributes:
        synthetic: Of synthetic rows against half of the real ones.
        real: Of the other half of the real ones, as many rows, against the same.
    """

    synthetic: Spread
    real: Spread


def distances(real: Samples, synthetic: Samples) -> Mapping[str, Distance]:
    """Measure over 20 random splits of the real rows into two halves, of at most 1,000 rows each.

    Both halves and the synthetic rows count with as many rows, so a number and the one beside it are biased
    alike; each is of fewer rows than there are, so its spread is rather too wide. Plain tables are compared
    in the spread of the real rows' columns, images and declared columns as they are, and where there are
    more than 50 columns the real rows' first 50 principal components stand for them.

    Args:
        real: n of them.
        synthetic: m of them, of the same sort.

    Returns:
        By name; empty where a side would have fewer than 10 rows, or a column does not vary.
    """
    size = min(len(real) // 2, len(synthetic), MOST_ROWS)
    if size < FEWEST_ROWS or real.all_equal:
        return {}
    truth, made = _features(real, synthetic)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for split in range(SPLITS):
        rng = stream(0, "score", "split", split)
        order = rng.permutation(len(truth))
        half, other = truth[order[:size]], truth[order[size : 2 * size]]
        some = made[rng.permutation(len(made))[:size]]
        for name, ours, theirs in zip(NAMES, _measured(some, half), _measured(other, half), strict=True):
            values = found.setdefault(name, ([], []))
            values[0].append(ours)
            values[1].append(theirs)
    return {name: Distance(Spread.of(ours), Spread.of(theirs)) for name, (ours, theirs) in found.items()}


NAMES = ("frechet", "energy_distance", "precision", "recall", "coverage", "nearest")
"""Metrics in the order of reports; ``nearest`` is the mean distance to the nearest real row."""


def _features(real: Samples, synthetic: Samples) -> tuple[Floats, Floats]:
    truth, made = real.values, synthetic.values
    if real.sort.plain:
        truth, made = spread(truth), spread(made, like=real.values)
    if truth.shape[1] <= MOST_COLUMNS:
        return truth, made
    plane = PCA(min(MOST_COLUMNS, len(truth)), svd_solver="full").fit(truth)
    return plane.transform(truth), plane.transform(made)


def _measured(rows: Floats, truth: Floats) -> tuple[float, ...]:
    between = cdist(rows, truth)
    within, own = cdist(rows, rows), cdist(truth, truth)
    equal = rounding(rows, truth)
    radii = [np.maximum(neighbour_radii(one, NEIGHBOURS), equal) for one in (within, own)]
    cover = fidelity_and_cover(between, radii[0], radii[1], NEIGHBOURS)
    return (
        gaussian_w2_sq(moments(rows), moments(truth)),
        energy_from_means(between.mean(), within.mean(), own.mean()),
        cover["precision"],
        cover["recall"],
        cover["coverage"],
        float(between.min(axis=1).mean()),
    )


@dataclass(frozen=True)
class Copies:
    """Rows that are equal in every column, as they were read.

    Attributes:
        synthetic: Synthetic rows that equal a real one.
        real: Real rows that equal another real one.
        all_the_same: Whether both sides hold the same rows.
    """

    synthetic: int
    real: int
    all_the_same: bool


def copies(real: Samples, synthetic: Samples) -> Copies:
    """Count equal rows."""
    known, made = (Counter(row.tobytes() for row in one.values + 0.0) for one in (real, synthetic))  # -0 is 0
    return Copies(
        sum(count for row, count in made.items() if row in known),
        sum(count for count in known.values() if count > 1),
        known == made,
    )
