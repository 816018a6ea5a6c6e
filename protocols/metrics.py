# SPDX-License-Identifier: Apache-2.0
"""What a silo may report of a generation: each metric's range, so that no silo alone rules a mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FARTHEST = 1e100
"""Of a distance, squared or not: means and variances over silos stay finite."""
MODE_SHARE = "mode_share/"
"""Begins the name of a class's share among the generated rows."""
_LANDMARKS = 3000.0
"""Most true rows whose balls density counts."""
_DIFFERENT = 400.0
"""Most rows among which the Vendi score looks for different ones."""
_MOST_MODES = 1e6
_ENTROPY = 1e9
"""Of a million coordinates within 1e100: each adds at most 231 nats."""


@dataclass(frozen=True)
class Range:
    """Values that a metric can have, ends included."""

    low: float
    high: float


_SHARE, _DISTANCE = Range(0.0, 1.0), Range(0.0, FARTHEST)
RANGES: Mapping[str, Range] = {
    "frechet": _DISTANCE,
    "w2_sq": _DISTANCE,
    "sliced_w2_sq": _DISTANCE,
    "energy_distance": _DISTANCE,
    "precision": _SHARE,
    "recall": _SHARE,
    "density": Range(0.0, _LANDMARKS),
    "coverage": _SHARE,
    "vendi": Range(1.0 - 1e-9, _DIFFERENT * (1.0 + 1e-9)),
    "variance_ratio": _DISTANCE,
    "entropy_kl": Range(-_ENTROPY, _ENTROPY),
    "memorization": _DISTANCE,
    "generalization_score": _DISTANCE,
    "training_entropy": Range(-_ENTROPY, _ENTROPY),
    "modes_covered": Range(0.0, _MOST_MODES),
    "rarest_mode_share": _SHARE,
    "mode_share": _SHARE,
    "unseen_share": Range(0.0, 1.0 + 1e-9),
    "real_share": _SHARE,
}
"""By family, in the order of reports: ``mode_share`` are all ``mode_share/<label>``; sums may round."""
_PLACES = {family: place for place, family in enumerate(RANGES)}


def family(name: str) -> str:
    """Return the family of a metric: ``mode_share`` of the share of one class, else its name."""
    return MODE_SHARE[:-1] if name.startswith(MODE_SHARE) else name


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names as reports have them; classes stay in the order in which they came."""
    return sorted(names, key=lambda name: _PLACES.get(family(name), len(_PLACES)))


def check_metric(name: str, low: float, high: float) -> None:
    """Refuse a metric that nobody knows, or values that it cannot have.

    Args:
        name: Its name.
        low: Smallest value reported.
        high: Largest value reported.

    Raises:
        ValueError: Naming the metric, what was found and what is allowed.
    """
    allowed = RANGES.get(family(name))
    if allowed is None or name == MODE_SHARE[:-1]:
        raise ValueError(f"metric {name!r} is not known here; known are {', '.join(RANGES)}")
    if not allowed.low <= low <= high <= allowed.high:
        odd = low if low < allowed.low else high
        raise ValueError(f"metric {name} must be within {allowed.low:g} and {allowed.high:g}, got {odd:g}")
