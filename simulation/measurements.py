# SPDX-License-Identifier: Apache-2.0
"""Metric rows as a table of arms, generations, seeds and silos, and means over seeds with intervals.

The seed is the unit of replication: silos of one seed share their truth and their base generator, so they
are averaged first and only seeds give an interval.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from tailweave.protocols.arrays import Ints
from tailweave.simulation.metric_rows import MetricRows

CONFIDENCE = 0.95

PerSeed = dict[int, float]


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
        rows: All of them.
        arms: Arm names, in the order of the configuration, then by name.
    """

    rows: MetricRows
    arms: tuple[str, ...]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics that at least one row has, sorted."""
        return tuple(sorted(self.rows.metrics))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that have rows, sorted."""
        return tuple(sorted({seed for keys in self._keys.values() for seed, _ in keys}))

    @cached_property
    def silos(self) -> tuple[str, ...]:
        """Silos that have rows; ``silo-2`` comes before ``silo-10``."""
        return tuple(sorted(self.rows.silos, key=natural))

    @cached_property
    def _cells(self) -> dict[tuple[str, int], Ints]:
        """(arm, generation) to the places of its rows."""
        arm, _, _, generation = self.rows.heads
        order = np.lexsort((generation, arm))
        starts = np.flatnonzero(np.diff(arm[order], prepend=-1) | np.diff(generation[order], prepend=-1))
        cells = np.split(order, starts[1:])
        return {(self.rows.arms[arm[cell[0]]], int(generation[cell[0]])): cell for cell in cells}

    @cached_property
    def _keys(self) -> dict[tuple[str, int], list[tuple[int, str]]]:
        """(arm, generation) to the (seed, silo) of its rows."""
        names = np.array(self.rows.silos, dtype=object)
        _, seed, silo, _ = self.rows.heads
        return {
            at: list(zip(seed[cell].tolist(), names[silo[cell]].tolist(), strict=True))
            for at, cell in self._cells.items()
        }

    def generations(self, arm: str) -> tuple[int, ...]:
        """Return the generations of one arm, sorted."""
        return tuple(sorted(generation for name, generation in self._cells if name == arm))

    def reached(self, arm: str, generation: int) -> Sequence[tuple[int, str]]:
        """Return the (seed, silo) that have a row there."""
        return self._keys.get((arm, generation), [])

    @cached_property
    def last(self) -> int:
        """T: the last generation that every arm and seed has reached, so that like meets like."""
        ends: dict[tuple[str, int], int] = {}
        for (arm, generation), keys in self._keys.items():
            for seed in {seed for seed, _ in keys}:
                ends[arm, seed] = max(generation, ends.get((arm, seed), 0))
        return min(ends.values())

    def values(self, arm: str, generation: int, metric: str) -> dict[tuple[int, str], float]:
        """Return (seed, silo) to value, for the rows that have the metric."""
        cell, column = self._cells.get((arm, generation)), self.rows.metrics.get(metric)
        if cell is None or column is None:
            return {}
        found = zip(self._keys[arm, generation], column[cell].tolist(), strict=True)
        return {key: value for key, value in found if value == value}  # not NaN: measured

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


def measurements(rows: MetricRows | Iterable[Mapping[str, Any]], arms: Sequence[str] = ()) -> Measurements:
    """Index metric rows, arms in the order wanted; those without rows are left out.

    Raises:
        ValueError: If there are no rows, or as ``MetricRows.of``.
    """
    found = MetricRows.of(rows)
    if not found.arms:
        raise ValueError("rows must hold at least one measurement, got none")
    known = [arm for arm in arms if arm in found.arms]
    return Measurements(found, (*known, *sorted(set(found.arms) - set(known))))
