# SPDX-License-Identifier: Apache-2.0
"""When a raw row counts as recovered, and how often that happens by chance."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import poisson

from tailweave.protocols.arrays import Floats

EXACT = 1e-6
"""A guess this close to a row, in public scale units, is the row."""
CLOSE = 0.05
"""A guess this close, in median nearest-neighbour distances of the silo, is as good as the row."""
FALSE_ALARM = 1e-6
"""Probability with which chance alone may be called a recovery."""


@dataclass(frozen=True)
class Recovery:
    """Rows found by one attack.

    Attributes:
        rows: Rows attacked.
        exact: Of them, rows with a guess within ``EXACT``.
        close: Of them, rows with a guess within ``CLOSE``.
        chance_exact: Rows that as many rows of *other* silos would have "found" exactly, on average.
        chance_close: The same within ``CLOSE``; where no decoy came close, one is assumed to have.
        nearest: Median over attacked rows of the distance to the nearest guess, in median nearest-neighbour
            distances.
    """

    rows: int
    exact: int
    close: int
    chance_exact: float
    chance_close: float
    nearest: float

    @property
    def succeeded(self) -> bool:
        """Whether rows were found that chance does not explain: any exact one, or too many close ones."""
        by_chance = float(poisson.sf(self.close - 1, self.chance_close)) if self.close else 1.0
        return self.exact > self.chance_exact or by_chance < FALSE_ALARM


@dataclass(frozen=True)
class Ruler:
    """What distances between guesses and rows of one silo are measured with.

    Attributes:
        decoys: Rows of other silos, shape (m, d), feature units: guesses that know nothing of the silo.
        exact: Distance below which a row is found, feature units.
        close: Distance below which it is as good as found, feature units.
        unit: Median nearest-neighbour distance of the silo, feature units.
    """

    decoys: Floats
    exact: float
    close: float
    unit: float


def ruler(rows: Floats, decoys: Floats, scale: float) -> Ruler:
    """Make the ruler of a silo.

    Args:
        rows: The silo's rows, shape (n, d), n >= 2.
        decoys: Rows of other silos, shape (m, d).
        scale: Public scale, feature units.

    Returns:
        The ruler; if most rows have a duplicate, so that the median distance is 0, its unit is the public
        scale.

    Raises:
        ValueError: If there are fewer than 2 rows.
    """
    if len(rows) < 2:
        raise ValueError(f"rows must hold at least 2, got {len(rows)}")
    apart = cdist(rows, rows)
    np.fill_diagonal(apart, np.inf)
    unit = float(np.median(apart.min(axis=1))) or scale
    return Ruler(decoys, EXACT * scale, max(CLOSE * unit, EXACT * scale), unit)


def recovered(guesses: Floats, rows: Floats, by: Ruler) -> Recovery:
    """Count which rows (n, d) guesses (g, d) found, all in feature units.

    Returns:
        The counts, with the chance level for as many guesses.
    """
    nearest = cdist(rows, guesses).min(axis=1)  # (n,)
    hits = cdist(rows, by.decoys)  # (n, m)
    share = len(guesses) / max(1, by.decoys.shape[0])
    return Recovery(
        rows=len(rows),
        exact=int((nearest < by.exact).sum()),
        close=int((nearest < by.close).sum()),
        chance_exact=float((hits < by.exact).sum() * share),
        chance_close=float(max(1, (hits < by.close).sum()) * share),
        nearest=float(np.median(nearest) / by.unit),
    )


def pooled(recoveries: Iterable[Recovery]) -> Recovery:
    """Add up recoveries of different rows; ``nearest`` is the median of theirs.

    Raises:
        ValueError: If there are none.
    """
    found = list(recoveries)
    if not found:
        raise ValueError("recoveries must not be empty, got none")
    return Recovery(
        rows=sum(r.rows for r in found),
        exact=sum(r.exact for r in found),
        close=sum(r.close for r in found),
        chance_exact=sum(r.chance_exact for r in found),
        chance_close=sum(r.chance_close for r in found),
        nearest=float(np.median([r.nearest for r in found])),
    )
