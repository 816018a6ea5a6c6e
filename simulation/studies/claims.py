# SPDX-License-Identifier: Apache-2.0
"""Published against reproduced: what was claimed, how ours is measured, and whether the two agree."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student_t

from tailweave.simulation.measurements import CONFIDENCE, Estimate, estimate
from tailweave.simulation.run_folder import Row


@dataclass(frozen=True)
class Rule:
    """When a reproduced value agrees with a published one.

    Attributes:
        kind: ``within`` a number of units; ``sems``, within ``size`` published standard errors; ``factor``,
            at most ``size`` times larger or smaller; ``at-most``, ours is no larger than ``size``; ``runs``,
            the published mean of ``size`` runs lies in the 95 % prediction interval for such a mean, given
            ours; ``expected``, the published expectation lies in our 95 % interval.
        size: As the kind says.
        sem: Published standard error, for ``sems``.
    """

    kind: Literal["within", "sems", "factor", "at-most", "runs", "expected"]
    size: float = 0.0
    sem: float = 0.0


@dataclass(frozen=True)
class Claim:
    """One published quantity.

    Attributes:
        section: Heading it is listed under.
        quantity: In plain words.
        published: The value, in the unit of the metric.
        source: Where it was published.
        rule: When ours agrees.
        where: Keys and values of the rows that it is measured on.
        metric: Key of the measured value.
        at: Generation; or first and last generation of a log-log slope.
        note: Why the two should agree, or may differ.
        held: Whether ours is held against it; else it is only drawn.
    """

    section: str
    quantity: str
    published: float
    source: str
    rule: Rule
    where: Mapping[str, str | int] = field(default_factory=dict)
    metric: str = ""
    at: int | tuple[int, int] = 0
    note: str = ""
    held: bool = True


@dataclass(frozen=True)
class Finding:
    """A claim, what was measured, and the verdict.

    Attributes:
        claim: As published.
        ours: Mean over seeds with its 95 % interval.
        agrees: The verdict.
        why: The comparison in words.
    """

    claim: Claim
    ours: Estimate
    agrees: bool
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return one entry of ``published.json``."""
        claim = self.claim
        return {
            "section": claim.section,
            "quantity": claim.quantity,
            "published": claim.published,
            "source": claim.source,
            "ours": self.ours.as_json(),
            "verdict": "agrees" if self.agrees else "differs",
            "why": self.why,
            "note": claim.note,
        }


def findings(claims: Iterable[Claim], rows: Sequence[Row]) -> list[Finding]:
    """Hold each claim against the rows of a study, in order; what these do not measure is left out.

    Raises:
        ValueError: If a slope is asked of values that are not positive.
    """
    found = []
    for claim in claims:
        if claim.held and (values := measured(claim, rows)):
            ours = estimate(values)
            agrees, why = _verdict(claim, ours)
            found.append(Finding(claim, ours, agrees, why))
    return found


def measured(claim: Claim, rows: Sequence[Row]) -> list[float]:
    """Return the claim's quantity, one value a seed; empty if the rows do not hold it."""
    of = [row for row in rows if claim.metric in row and all(row.get(k) == v for k, v in claim.where.items())]
    if isinstance(claim.at, int):
        return [float(row[claim.metric]) for row in of if row["generation"] == claim.at]
    series: dict[int, list[Row]] = {}
    for row in of:
        if claim.at[0] <= row["generation"] <= claim.at[1]:
            series.setdefault(row["seed"], []).append(row)
    whole = [one for one in series.values() if len(one) == claim.at[1] - claim.at[0] + 1]
    return [
        loglog_slope([r["generation"] for r in one], [r[claim.metric] for r in one], window=claim.at)
        for one in whole
    ]


def loglog_slope(times: Sequence[int], values: Sequence[float], *, window: tuple[int, int]) -> float:
    """Fit ln value on ln time by least squares inside a window: the exponent of a power law.

    Args:
        times: Generations, positive inside the window.
        values: Positive values, one a time.
        window: First and last generation that count.

    Returns:
        The slope, without unit.

    Raises:
        ValueError: If a time or a value in the window is not positive, or fewer than two are left.
    """
    inside = [(t, v) for t, v in zip(times, values, strict=True) if window[0] <= t <= window[1]]
    if len(inside) < 2 or min(min(pair) for pair in inside) <= 0:
        raise ValueError(f"window must hold two or more positive values at positive times, got {inside[:4]}")
    x, y = np.log(np.array(inside, dtype=np.float64)).T
    x -= x.mean()
    return float(x @ y / (x @ x))


def _verdict(claim: Claim, ours: Estimate) -> tuple[bool, str]:
    rule, published = claim.rule, claim.published
    gap = abs(ours.mean - published)
    match rule.kind:
        case "within":
            return gap <= rule.size, f"differ by {gap:.2g}, allowed {rule.size:g}"
        case "sems":
            allowed = rule.size * rule.sem
            return gap <= allowed, f"differ by {gap:.2g}, {rule.size:g} published SEM are {allowed:.2g}"
        case "factor":
            ratio = (
                math.exp(abs(math.log(ours.mean / published))) if min(ours.mean, published) > 0 else math.inf
            )
            return ratio <= rule.size, f"differ by a factor {ratio:.2f}, allowed {rule.size:g}"
        case "at-most":
            return ours.mean <= rule.size, f"ours must be at most {rule.size:g}"
        case "runs":
            half = _prediction(ours, rule.size)
            return gap <= half, f"differ by {gap:.2g}, means of {rule.size:g} runs scatter by ± {half:.2g}"
        case "expected":
            half = ours.half or 0.0
            return gap <= half, f"differ by {gap:.2g}, our 95 % interval is ± {half:.2g}"


def _prediction(ours: Estimate, runs: float) -> float:
    """Half-width of the 95 % prediction interval for a mean of ``runs`` more runs of the same spread."""
    if ours.half is None:
        return 0.0
    quantile = float(student_t.ppf(0.5 + CONFIDENCE / 2, ours.seeds - 1))
    spread = ours.half / quantile * math.sqrt(ours.seeds)
    return quantile * spread * math.sqrt(1 / ours.seeds + 1 / runs)
