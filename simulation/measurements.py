# SPDX-License-Identifier: Apache-2.0
"""Metric rows as a table of arms, generations, seeds and silos, and means over seeds with intervals.

The seed is the unit of replication: silos of one seed share their truth and their base generator, so they
are averaged first and only seeds give an interval.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from typing import Any

from scipy.stats import t as student_t

KEYS = ("arm", "seed", "silo", "generation")
CONFIDENCE = 0.95

PerSeed = dict[int, float]
Cells = dict[tuple[str, int], dict[tuple[int, str], dict[str, float]]]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds; ``float`` of it is the mean.

    Attributes:
        mean: Mean of the per-seed values, in the unit of the metric.
        interval: 95 % Student-t interval of that mean; ``None`` with one seed.
        seeds: How many seeds it rests on.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: int

    def __float__(self) -> float:
        """Return the mean."""
        return self.mean

    @property
    def half(self) -> float | None:
        """Half of the interval's width; ``None`` with one seed."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Estimate":
        """Return the estimate that ``summary.json`` holds."""
        interval = found["interval"]
        return cls(found["mean"], None if interval is None else (interval[0], interval[1]), found["seeds"])

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as ``summary.json`` holds it."""
        interval = None if self.interval is None else list(self.interval)
        return {"mean": self.mean, "interval": interval, "seeds": self.seeds}


def estimate(values: Iterable[float]) -> Estimate:
    r"""Estimate the mean of independent values.

    .. math:: \bar v \pm t_{0.975, k - 1} s / \sqrt k, \quad s^2 = \sum (v_i - \bar v)^2 / (k - 1)

    Args:
        values: One value a seed, k >= 1, any unit.

    Returns:
        Mean and two-sided 95 % interval, in the unit of ``values``.

    Raises:
        ValueError: If there is no value.

    Source:
        Student (1908), Biometrika 6:1-25.
    """
    seen = list(values)
    if not seen:
        raise ValueError("values must hold at least one seed, got none")
    count = len(seen)
    mean = math.fsum(seen) / count  # exact sum: the order in which seeds finished changes no bit
    if count == 1:
        return Estimate(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in seen) / (count - 1)
    half = float(student_t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * math.sqrt(variance / count)
    return Estimate(mean, (mean - half, mean + half), count)


def _mean(values: Iterable[float]) -> float:
    seen = list(values)
    return math.fsum(seen) / len(seen)


@dataclass(frozen=True)
class Measurements:
    """Every metric row of a run, looked up by arm and generation.

    Attributes:
        cells: (arm, generation) to (seed, silo) to metric to value.
        arms: Arm names, in the order of the configuration, then by name.
    """

    cells: Cells
    arms: tuple[str, ...]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that at least one row has, sorted."""
        return tuple(sorted({m for cell in self.cells.values() for row in cell.values() for m in row}))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that have rows, sorted."""
        return tuple(sorted({seed for cell in self.cells.values() for seed, _ in cell}))

    @cached_property
    def silos(self) -> tuple[str, ...]:
        """Silos that have rows; ``silo-2`` comes before ``silo-10``."""
        return tuple(sorted({silo for cell in self.cells.values() for _, silo in cell}, key=natural))

    def generations(self, arm: str) -> tuple[int, ...]:
        """Return the generations of one arm, sorted."""
        return tuple(sorted(generation for name, generation in self.cells if name == arm))

    @cached_property
    def last(self) -> int:
        """T: the last generation that every arm and seed has reached, so that like meets like."""
        reached: dict[tuple[str, int], int] = {}
        for (arm, generation), cell in self.cells.items():
            for seed, _ in cell:
                reached[arm, seed] = max(generation, reached.get((arm, seed), 0))
        return min(reached.values())

    def values(self, arm: str, generation: int, metric: str) -> dict[tuple[int, str], float]:
        """Return (seed, silo) to value, for the rows that have the metric."""
        cell = self.cells.get((arm, generation), {})
        return {key: row[metric] for key, row in cell.items() if metric in row}

    def curve(self, arm: str, metric: str, silo: str | None = None) -> dict[int, Estimate]:
        """Return generation to the mean over seeds, of the means over silos or of one silo."""
        found = {
            g: {key: v for key, v in self.values(arm, g, metric).items() if silo in (None, key[1])}
            for g in self.generations(arm)
        }
        return {g: estimate(per_seed(values).values()) for g, values in found.items() if values}


def per_seed(values: Mapping[tuple[int, str], float]) -> PerSeed:
    """Average (seed, silo) to value over silos: seed to the plain mean, seeds ascending."""
    seeds = sorted({seed for seed, _ in values})
    return {s: _mean(value for (seed, _), value in values.items() if seed == s) for s in seeds}


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts ``silo-2`` before ``silo-10``."""
    pieces: list[str] = []
    for character in name:
        if pieces and pieces[-1][-1].isdecimal() == character.isdecimal():
            pieces[-1] += character
        else:
            pieces.append(character)
    return [(0, int(piece), piece) if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def measurements(rows: Iterable[Mapping[str, Any]], arms: Sequence[str] = ()) -> Measurements:
    """Index metric rows, arms in the order wanted; those without rows are left out.

    A metric that is absent or null in a row was not measured there. A row that occurs twice with the same
    values, as after a resumed run, counts once.

    Raises:
        ValueError: If there are no rows, a row lacks a key, a metric is not a finite number, or two rows
            of the same arm, seed, silo and generation disagree.
    """
    cells: Cells = {}
    for number, row in enumerate(rows, start=1):
        missing = [key for key in KEYS if key not in row]
        if missing:
            raise ValueError(f"metric row {number} lacks {', '.join(missing)}: got keys {sorted(row)}")
        cell = cells.setdefault((str(row["arm"]), int(row["generation"])), {})
        key = (int(row["seed"]), intern(str(row["silo"])))
        values = {
            intern(name): _number(number, name, v)  # a million rows share one text for each name
            for name, v in row.items()
            if name not in KEYS and v is not None
        }
        if cell.setdefault(key, values) != values:
            raise ValueError(f"metric row {number} contradicts an earlier row of {[row[k] for k in KEYS]}")
    if not cells:
        raise ValueError("rows must hold at least one measurement, got none")
    found = {arm for arm, _ in cells}
    known = [arm for arm in arms if arm in found]
    return Measurements(cells, (*known, *sorted(found - set(known))))


def _number(row: int, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"metric row {row}: {name} must be a finite number, got {value!r}")
    return float(value)
