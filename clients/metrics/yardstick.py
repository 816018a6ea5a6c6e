# SPDX-License-Identifier: Apache-2.0
"""All metrics of one generation at once; what depends on the truth alone is computed a single time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from tailweave.clients.metrics.diversity import (
    entropy_from_radii,
    entropy_kl,
    rbf_bandwidth,
    variance_ratio,
    vendi_from_distances,
)
from tailweave.clients.metrics.energy import energy_from_means
from tailweave.clients.metrics.frechet import Moments, gaussian_w2_sq, moments
from tailweave.clients.metrics.modes import ModeJudge, fit_judge, modes_covered
from tailweave.clients.metrics.neighbours import (
    fidelity_and_cover,
    generalization_score,
    neighbour_radii,
    resolution,
    rounding,
)
from tailweave.clients.metrics.of_table import TableTruth
from tailweave.clients.metrics.transport import (
    EXACT_ROWS,
    sliced_w2_sq_of_sorted,
    sorted_projections,
    transport_cost,
)
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.streams import stream

NEIGHBOURS = 5
"""Neighbour of precision, recall, density, coverage and entropy (design: k = 5)."""
PAIRWISE_ROWS = 3000
"""Most rows a side in a matrix of distances (72 MB)."""
VENDI_ROWS = 400
"""Most rows in the eigenvalue problem of ``vendi`` (about 6 ms)."""
DIRECTIONS = 256
"""Directions of ``sliced_w2_sq``; fixed, so all generations, arms and silos share them."""
LARGEST = 1e100
"""Entries stay below this, so that squares, and their ratios to the truth's variance, are finite."""
_RESOLVED = 1e-12
"""Share of the largest entry below which a spread is rounding: equal rows come out of a matrix product so."""


@dataclass(frozen=True, eq=False)
class Training:
    """Rows (n, d) that a generator was fitted on, with what depends on them and on the truth alone.

    ``fresh`` is the generalisation score of the truth beside them, ``entropy`` their own.
    """

    rows: Floats
    fresh: float
    entropy: float


@dataclass(frozen=True, eq=False)
class Yardstick:
    """The truth that generations are measured against, with everything that depends on it alone.

    ``truth`` (r, d) are all its rows; ``landmarks`` (l, d), l <= 3000, those that enter pairwise metrics,
    with their neighbour ``radii`` (l,) and mean pairwise distance ``spread``; ``directions`` (256, d) are
    public; ``samples`` are the truth itself, where the metrics of its sort look at that; ``table`` is the
    truth of a table with declared columns.
    """

    truth: Floats
    landmarks: Floats
    radii: Floats
    spread: float
    bandwidth: float
    moments: Moments
    directions: Floats
    judge: ModeJudge | None
    samples: Samples | None = None
    table: TableTruth | None = None

    @cached_property
    def projections(self) -> Floats:
        """The truth on each direction, sorted, shape (r, 256)."""
        return sorted_projections(self.truth, self.directions)

    def training(self, rows: ArrayLike) -> Training:
        """Prepare training rows (n, d) for ``evaluate``: once where many generators were fitted on them.

        Raises:
            ValueError: As ``evaluate``.
        """
        z = _bounded(rows, "training", self.truth.shape[1])
        return Training(z, generalization_score(self.truth, z), entropy_kl(z, NEIGHBOURS, most=PAIRWISE_ROWS))


def yardstick(truth_features: ArrayLike, labels: ArrayLike | None, rarest: str | None = None) -> Yardstick:
    """Prepare the truth for many comparisons.

    Args:
        truth_features: Held-out true rows in the evaluation features, shape (r, d), in any order.
        labels: Mode of each row, shape (r,), integers or text; None if the truth has no labels.
        rarest: Label of the mode called the rarest; None for that with the fewest of these rows.

    Returns:
        The yardstick to hand to ``evaluate``.

    Raises:
        ValueError: If ``truth_features`` is not a finite matrix with entries below 1e100 in magnitude and a
            total variance of at least 1e-100, with a root above 1e-12 of its largest entry (so with two rows
            that differ by more than rounding), or ``labels`` has another shape than (r,).
    """
    truth = _bounded(truth_features, "truth_features", None)
    variance = float((truth - truth[0]).var(axis=0).sum())
    least = max(1.0 / LARGEST, (_RESOLVED * float(np.abs(truth).max())) ** 2)
    if variance < least:
        raise ValueError(
            f"truth_features must have a total variance of {least:.3g} or more, got {variance:.3g}"
        )
    landmarks = truth[_spread(len(truth), PAIRWISE_ROWS)]
    distances = cdist(landmarks, landmarks)  # (l, l)
    directions = stream(0, "metrics", "sliced-directions").standard_normal((DIRECTIONS, truth.shape[1]))
    return Yardstick(
        truth=truth,
        landmarks=landmarks,
        radii=neighbour_radii(distances, NEIGHBOURS),
        spread=float(distances.mean()),
        bandwidth=rbf_bandwidth(landmarks),
        moments=moments(truth),
        directions=directions / np.linalg.norm(directions, axis=1, keepdims=True),
        judge=None if labels is None else fit_judge(truth, labels, rarest),
    )


def yardstick_of(
    truth: Samples,
    features: Callable[[Samples], Floats],
    rarest: str | None = None,
    *,
    beside: Samples | None = None,
) -> Yardstick:
    """Prepare the truth from samples; that all of them are equal is judged before the map rounds them.

    Args:
        truth: Held-out true samples; their labels are their modes.
        features: The evaluation map.
        rarest: Label of the mode called the rarest; None for that with the fewest of these samples.
        beside: All other true samples, where these are known: what is rare is so among all.

    Returns:
        The yardstick of the mapped samples.

    Raises:
        ValueError: If all are equal, they do not fit the map, or ``yardstick`` refuses their features.
    """
    if truth.all_equal:
        raise ValueError("truth rows must have a total variance above 0: all of them are equal")
    table = TableTruth.of(truth, beside)
    return replace(yardstick(features(truth), truth.labels, rarest), samples=truth, table=table)


def evaluate(
    yardstick: Yardstick, generated: ArrayLike, training: Training | ArrayLike | None
) -> dict[str, float]:
    """Measure one generation against the truth.

    Every value is finite, whatever the generator has become: a single point, fewer rows than neighbours, or
    copies of its training rows (each metric says what it returns then). Work is bounded: energy distance,
    precision to coverage and entropy see at most 3000 rows a side and vendi 400, spread evenly over the
    sample, which is fair whether its rows come shuffled or sorted by mode; ``w2_sq`` is exact up to 2000 rows
    a side and is replaced above by ``sliced_w2_sq`` over 256 fixed public directions. About 0.11 s at
    m = r = 719, d = 20 on one thread, half of it ``w2_sq``.

    Args:
        yardstick: The truth, in the evaluation features.
        generated: Fresh samples of this generation's generator, shape (m, d).
        training: Rows that this generation's generator was fitted on, shape (n, d), or what the yardstick
            made of them; None where they are not known, and then the three metrics of them are left out.

    Returns:
        Metrics in this order: ``frechet``, ``w2_sq`` or ``sliced_w2_sq``, ``energy_distance``,
        ``precision``, ``recall``, ``density``, ``coverage``, ``vendi``, ``variance_ratio``, ``entropy_kl``,
        ``memorization``, ``generalization_score``, ``training_entropy`` (``entropy_kl`` of the training
        rows: arXiv 2509.16499 finds it linear in the logarithm of the score); with a judge also
        ``modes_covered``, ``rarest_mode_share`` and ``mode_share/<label>`` for each mode.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix of the yardstick's columns with entries
            below 1e100 in magnitude (their squares would overflow).
    """
    x = _bounded(generated, "generated", yardstick.truth.shape[1])
    return {
        "frechet": gaussian_w2_sq(moments(x), yardstick.moments),
        **_pairwise(yardstick, x),
        **({} if training is None else _beside_training(yardstick, x, training)),
        **_modes(yardstick.judge, x),
    }


def _beside_training(yardstick: Yardstick, x: Floats, training: Training | ArrayLike) -> dict[str, float]:
    known = training if isinstance(training, Training) else yardstick.training(training)
    score = generalization_score(x, known.rows)
    return {
        "memorization": score / max(known.fresh, resolution(x, yardstick.truth, known.rows)),
        "generalization_score": score,
        "training_entropy": known.entropy,
    }


def _pairwise(yardstick: Yardstick, x: Floats) -> dict[str, float]:
    rows = x[_spread(len(x), PAIRWISE_ROWS)]
    between = cdist(rows, yardstick.landmarks)  # (m, l)
    within = cdist(rows, rows)  # (m, m)
    radii = neighbour_radii(within, NEIGHBOURS)
    some = _spread(len(rows), VENDI_ROWS)
    equal = rounding(x, yardstick.truth)  # copies of a row that stands k times lie in its ball
    if max(len(x), len(yardstick.truth)) <= EXACT_ROWS:
        transport = {"w2_sq": transport_cost(between**2)}
    else:
        transport = {
            "sliced_w2_sq": sliced_w2_sq_of_sorted(
                sorted_projections(x, yardstick.directions), yardstick.projections
            )
        }
    return {
        **transport,
        "energy_distance": energy_from_means(between.mean(), within.mean(), yardstick.spread),
        **fidelity_and_cover(
            between, np.maximum(radii, equal), np.maximum(yardstick.radii, equal), NEIGHBOURS
        ),
        "vendi": vendi_from_distances(within[np.ix_(some, some)], yardstick.bandwidth),
        "variance_ratio": variance_ratio(x, yardstick.truth),
        "entropy_kl": entropy_from_radii(radii, x.shape[1], NEIGHBOURS, resolution(x, yardstick.truth)),
    }


def _modes(judge: ModeJudge | None, x: Floats) -> dict[str, float]:
    if judge is None:
        return {}
    shares = judge.shares(x)
    return {
        "modes_covered": float(modes_covered(shares, judge.truth_shares)),
        "rarest_mode_share": float(shares[judge.labels.index(judge.rarest)]),
        **{f"mode_share/{label}": float(share) for label, share in zip(judge.labels, shares, strict=True)},
    }


def _spread(count: int, most: int) -> Ints:
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def _bounded(values: ArrayLike, name: str, columns: int | None) -> Floats:
    array = matrix(values, name, columns=columns)
    largest = float(np.abs(array).max())
    if largest >= LARGEST:
        raise ValueError(f"{name} must stay below {LARGEST:g} in magnitude, got {largest:g}")
    return array
