# SPDX-License-Identifier: Apache-2.0
"""The canary audit: how well does the best linear attacker see one row through the release code path?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from tailweave.protocols.arrays import Floats

Release = Callable[[Floats, np.random.Generator], Floats]
"""Turns rows (n, d) and a stream into the released numbers, shape (m,)."""

_PILOTS = 64


@dataclass(frozen=True)
class CanaryResult:
    """What the attacker reached.

    Attributes:
        mu_hat: Estimated separation; a release of noise multiplier z promises at most 1 / z.
        standard_error: Of ``mu_hat``.
    """

    mu_hat: float
    standard_error: float

    @property
    def lower_bound(self) -> float:
        """mu_hat - 3 standard errors; an honest release exceeds its promise with probability < 1.4e-3."""
        return self.mu_hat - 3.0 * self.standard_error


def canary_audit(
    release_once: Release, rows: Floats, canary: Floats, *, runs: int, rng: np.random.Generator
) -> CanaryResult:
    r"""Release ``runs`` times with and ``runs`` times without one more row, and tell the two worlds apart.

    The attacker's statistic is a matched filter: the expected difference between the worlds over the noise
    variance, both learnt from separate pilot runs. Pilots are paired on one seed, so that with seeded noise
    the difference is exact. The area under the attacker's curve gives

    .. math:: \hat\mu = \sqrt2\, \Phi^{-1}(\mathrm{AUC}),

    which no statistic and no post-processing can drive above the promised mu (unlike a ratio of moments).

    Args:
        release_once: The code path under audit.
        rows: The other rows, shape (n, d); the attacker knows them.
        canary: The row, shape (d,).
        runs: Runs in each world, at least 100.
        rng: Stream of the audit.

    Returns:
        Estimate and standard error; the standard error is near sqrt(2 / runs).

    Raises:
        ValueError: If ``runs`` is below 100 or the canary does not fit the rows.

    Source:
        AUC of mu-GDP: Dong, Roth & Su (2022), definition 2.1 integrated.
    """
    if runs < 100:
        raise ValueError(f"runs must be at least 100, got {runs}")
    if canary.shape != rows.shape[1:]:
        raise ValueError(f"canary must have shape {rows.shape[1:]}, got {canary.shape}")
    worlds = (rows, np.vstack([rows, canary]))
    seeds = rng.integers(2**63, size=_PILOTS)
    without, with_canary = (
        np.stack([release_once(world, np.random.default_rng(seed)) for seed in seeds]) for world in worlds
    )
    weights = filter_of((with_canary - without).mean(axis=0), without)
    statistics = [
        np.array([float(release_once(world, child) @ weights) for child in rng.spawn(runs)])
        for world in worlds
    ]
    return _separation(*statistics)


def filter_of(shift: Floats, noises: Floats) -> Floats:
    """Return the matched filter (m,) of a shift (m,) in numbers of which ``noises`` (k, m) are releases."""
    variance = noises.var(axis=0)
    floor = 1e-12 * float(variance.max()) or 1.0  # a coordinate without noise gives the row away
    found: Floats = shift / np.maximum(variance, floor)
    return found


def _separation(low: Floats, high: Floats) -> CanaryResult:
    found, error = delong(high, low)
    edge = 0.5 / len(low) ** 2  # all pairs in order say no more than this
    auc = float(np.clip(found, edge, 1.0 - edge))
    at = float(norm.ppf(auc))
    return CanaryResult(float(np.sqrt(2.0)) * at, float(np.sqrt(2.0) * error / norm.pdf(at)))


def delong(members: Floats, others: Floats) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error, ties counted half.

    Args:
        members: Shape (m,), m >= 2.
        others: Shape (o,), o >= 2.

    Source:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845, by mid-ranks (Sun & Xu 2014).
    """
    m, o = len(members), len(others)
    ranks = rankdata(np.concatenate([members, others]))
    above = (ranks[:m] - rankdata(members)) / o  # share of others below each member
    below = 1.0 - (ranks[m:] - rankdata(others)) / m
    return float(above.mean()), float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / o))
