# SPDX-License-Identifier: Apache-2.0
"""Claims on how a metric moves from generation to generation, as published, and what a run says to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tailweave.simulation.arms import describe
from tailweave.simulation.measurements import Estimate, Measurements, PerSeed, estimate, per_seed
from tailweave.simulation.paper.orders import Arms, Pick, Way, options_of
from tailweave.simulation.report.wording import counted, decimals_for, number, percent

Config = Mapping[str, Any]
Verdict = Literal["agrees", "differs", "open", "not in this run"]
TOKENS = ("real-tokens", "synthetic-tokens")
"""Options of a generator that say which part of a document is synthetic."""


@dataclass(frozen=True)
class Trend:
    """A claim on the course of a metric, or on where it ends.

    Attributes:
        section: Heading it is listed under.
        quantity: In plain words; ``{more}`` and ``{less}`` tokens are filled from the run.
        published: Who claims it.
        kind: ``each``, the mean moves that way in every generation; ``slope``, it moves that way on the
            whole; ``share``, it does so faster the more tokens are synthetic; ``end``, it ends on that side
            of another arm; ``still``, it moves by at most ``bound`` where models are trained on the last
            generation's samples alone.
        metric: Key of the metric.
        left: The arm that the claim is about; None: those that have ``options``.
        way: Which way it moves, or on which side it ends.
        right: The arm that it is held against.
        options: Options of the generator of the arms that a claim is about.
        bound: As the kind says, in the unit of the metric.
        note: What the claim does not say.
    """

    section: str
    quantity: str
    published: str
    kind: Literal["each", "slope", "share", "end", "still"]
    metric: str
    left: Pick | None = None
    way: Way = "above"
    right: Pick | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    bound: float = 0.0
    note: str = ""

    @property
    def sign(self) -> float:
        """1 if more is claimed, -1 if less."""
        return 1.0 if self.way == "above" else -1.0


@dataclass(frozen=True)
class TrendFinding:
    """A claim, what was measured, and the verdict.

    Attributes:
        trend: As claimed.
        quantity: The claim with what the run fills in.
        verdict: ``agrees`` or ``differs`` where a 95 % interval over seeds says so, ``open`` where it does
            not or one seed gives none.
        why: The comparison in words.
        ours: Mean over seeds: a slope a generation, the least step, a difference of slopes, or the end.
        against: That of the other arm, where there is one.
        difference: ``ours`` minus ``against``, paired by seed.
    """

    trend: Trend
    quantity: str
    verdict: Verdict
    why: str
    ours: Estimate | None = None
    against: Estimate | None = None
    difference: Estimate | None = None

    def as_json(self) -> dict[str, Any]:
        """Return one entry of ``published.json``."""
        sides = {"ours": self.ours, "against": self.against, "difference": self.difference}
        return {
            "section": self.trend.section,
            "quantity": self.quantity,
            "published": self.trend.published,
            "metric": self.trend.metric,
            **{name: None if one is None else one.as_json() for name, one in sides.items()},
            "verdict": self.verdict,
            "why": self.why,
            "note": self.trend.note,
        }


def trend_findings(trends: Sequence[Trend], arms: Arms, config: Config) -> list[TrendFinding]:
    """Hold each claim against a run, in order; one whose arms or metric the run lacks says so."""
    found = []
    for trend in trends:
        here = list(_JUDGES[trend.kind](trend, arms, config))
        words = trend.quantity.format(more="more", less="fewer")
        found += here or [TrendFinding(trend, words, "not in this run", "")]
    return found


def slopes(table: Measurements, arm: str, metric: str) -> PerSeed:
    r"""Fit a straight line through a metric of each seed, from generation 0 to the last, by least squares.

    .. math:: b = \sum_t (t - \bar t) v_t / \sum_t (t - \bar t)^2

    Returns:
        Seed to slope, unit of the metric a generation; seeds that lack a generation are left out.
    """
    values = _series(table, arm, metric)
    times = np.arange(table.last + 1) - table.last / 2
    return {seed: float(times @ one / (times @ times)) for seed, one in values.items()}


def share_of(generator: Mapping[str, Any]) -> float | None:
    """Return which part of a document's tokens is synthetic; None for what generates no text."""
    if any(generator.get(name) is None for name in TOKENS):
        return None
    real, made = (float(generator[name]) for name in TOKENS)
    return 1.0 if generator.get("prompts") == "nothing" else made / (real + made)


def _series(table: Measurements, arm: str, metric: str) -> dict[int, list[float]]:
    """Return seed to the metric of each generation, mean over silos; none where there is one generation."""
    curves = [per_seed(table.values(arm, at, metric)) for at in range(table.last + 1)]
    whole = set.intersection(*map(set, curves)) if len(curves) > 1 else set()
    return {seed: [curve[seed] for curve in curves] for seed in sorted(whole)}


def _each(trend: Trend, arms: Arms, config: Config) -> Iterator[TrendFinding]:
    series = _of(trend.left, arms, lambda arm: _series(arms.table, arm, trend.metric))
    if not series:
        return
    steps = [estimate(one[t] - one[t - 1] for one in series.values()) for t in range(1, arms.table.last + 1)]
    worst = min(steps, key=lambda step: trend.sign * step.mean)
    held = sum(trend.sign * step.mean > 0 for step in steps)
    verdict = _verdict(_times(trend.sign, worst))
    if worst.interval is not None and held == len(steps):
        verdict = "agrees"  # the claim is on the mean
    side = {"above": "rises", "below": "falls"}[trend.way]
    why = f"{side} in {held} of {counted(len(steps), 'generation')}, in the mean over seeds"
    yield TrendFinding(trend, trend.quantity, verdict, f"{why}; the least step is {_told(worst)}", worst)


def _slope(trend: Trend, arms: Arms, config: Config) -> Iterator[TrendFinding]:
    found = _of(trend.left, arms, lambda arm: slopes(arms.table, arm, trend.metric))
    if found:
        ours = estimate(found.values())
        why = f"moves by {_told(ours, ' a generation')}"
        yield TrendFinding(trend, trend.quantity, _verdict(_times(trend.sign, ours)), why, ours)


def _share(trend: Trend, arms: Arms, config: Config) -> Iterator[TrendFinding]:
    """Compare neighbours in the share of synthetic tokens, and the ends, of arms that are alike otherwise."""
    alike = _of(trend.left, arms, lambda arm: _alike(arm, arms.table.arms, config))
    order = sorted(alike)
    pairs = list(zip(order, order[1:], strict=False)) + ([(order[0], order[-1])] if len(order) > 2 else [])
    for less, more in pairs:
        mine, theirs = (slopes(arms.table, alike[share], trend.metric) for share in (more, less))
        words = trend.quantity.format(more=percent(more), less=percent(less))
        yield from _against(trend, words, mine, theirs, "the slopes differ by {}")


def _end(trend: Trend, arms: Arms, config: Config) -> Iterator[TrendFinding]:
    if trend.left is not None and trend.right is not None:
        mine, theirs = (arms.values(pick, trend.metric) for pick in (trend.left, trend.right))
        yield from _against(trend, trend.quantity, mine, theirs, "the ends differ by {}")


def _still(trend: Trend, arms: Arms, config: Config) -> Iterator[TrendFinding]:
    for arm in arms.table.arms:
        options = options_of(arm, config)
        series = _series(arms.table, arm, trend.metric)
        wanted = all(options.get(key) == value for key, value in trend.options.items())
        if not series or not wanted or not _newest_alone(arm, config):
            continue
        ours = estimate(one[-1] - one[0] for one in series.values())
        low, high = ours.interval or (-np.inf, np.inf)
        outside = low > trend.bound or high < -trend.bound
        inside = -trend.bound <= low and high <= trend.bound
        verdict: Verdict = "differs" if outside else "agrees" if inside else "open"
        yield TrendFinding(trend, trend.quantity, verdict, f"{arm} moves by {_told(ours)}", ours)


def _newest_alone(arm: str, config: Config) -> bool:
    options = options_of(arm, config)
    replaced = options["paradigm"] == "replace" and not options["include-real"]
    return replaced or describe(arm, config).rule == "last-generation"


_JUDGES: Mapping[str, Callable[[Trend, Arms, Config], Iterator[TrendFinding]]] = {
    "each": _each,
    "slope": _slope,
    "share": _share,
    "end": _end,
    "still": _still,
}


def _of(pick: Pick | None, arms: Arms, asked: Callable[[str], dict[Any, Any]]) -> dict[Any, Any]:
    return asked(arms.names[pick]) if pick in arms.names and pick is not None else {}


def _alike(arm: str, others: Sequence[str], config: Config) -> dict[float, str]:
    """Return share of synthetic tokens to arm, of those that differ from one in nothing else."""

    def rest(name: str) -> tuple[object, ...]:
        found, options = describe(name, config), options_of(name, config)
        return found.rule, found.reference, {key: options[key] for key in options if key not in TOKENS}

    found: dict[float, str] = {}
    for name in (arm, *others):
        share = share_of(options_of(name, config))
        if share is not None and rest(name) == rest(arm):
            found.setdefault(share, name)
    return found


def _against(trend: Trend, words: str, mine: PerSeed, theirs: PerSeed, why: str) -> Iterator[TrendFinding]:
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return
    difference = estimate(mine[seed] - theirs[seed] for seed in seeds)
    ours, against = (estimate(side[seed] for seed in seeds) for side in (mine, theirs))
    verdict = _verdict(_times(trend.sign, difference))
    yield TrendFinding(trend, words, verdict, why.format(_told(difference)), ours, against, difference)


def _times(sign: float, found: Estimate) -> Estimate:
    if found.interval is None or sign > 0:
        return Estimate(sign * found.mean, found.interval, found.seeds)
    low, high = found.interval
    return Estimate(-found.mean, (-high, -low), found.seeds)


def _verdict(margin: Estimate) -> Verdict:
    low, high = margin.interval or (0.0, 0.0)
    return "agrees" if low > 0 else "differs" if high < 0 else "open"


def _told(found: Estimate, unit: str = "") -> str:
    digits = decimals_for([found.mean])
    text = number(found.mean, digits, signed=True)
    if found.half is None:
        return f"{text}{unit} (one seed gives no interval)"
    return f"{text} ± {number(found.half, digits)}{unit}"
