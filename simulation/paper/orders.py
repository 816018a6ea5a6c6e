# SPDX-License-Identifier: Apache-2.0
"""Claims on the order of arms: which rule ends above which, as published, and what a run says to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tailweave.simulation.arms import describe
from tailweave.simulation.measurements import Estimate, Measurements, estimate, per_seed
from tailweave.simulation.report.wording import counted, metric, number

Pick = tuple[str, str | None]
"""An arm by what it does, whatever its name: selection rule, and kind of reference (None: it has none)."""
RANDOM: Pick = ("random", None)
KMEANS: Pick = ("k-means", None)
SCHEME_1: Pick = ("nash", "geodesic")
SCHEME_2: Pick = ("top-potential", "barycenter")
SCHEMES = (SCHEME_1, SCHEME_2)
"""The two of arXiv 2606.13732."""
SLICED: Pick = ("herding", "sliced")
Way = Literal["above", "below"]
Verdict = Literal["agrees", "differs", "open"]


@dataclass(frozen=True)
class Order:
    """A claim that one arm ends above or below another, possibly by a factor.

    Attributes:
        section: Heading it is listed under.
        quantity: In plain words.
        published: The published values, or who claims it.
        metric: Key of the metric.
        left: The arm that the claim is about.
        way: Whether it ends above or below the other.
        right: The arm that it is held against: the best of these, by the metric's mean.
        factor: Of the right side; 5 times below is ``below`` with 1/5.
        note: What the published numbers do not say.
    """

    section: str
    quantity: str
    published: str
    metric: str
    left: Pick
    way: Way
    right: tuple[Pick, ...]
    factor: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Arms:
    """The last generation of a run, looked up by what an arm does.

    Attributes:
        table: All measurements.
        names: Rule and kind of reference to the arm's name; of those that do the same the first that changes
            neither paradigm nor generator, else the first.
    """

    table: Measurements
    names: Mapping[Pick, str]

    @staticmethod
    def of(table: Measurements, config: Mapping[str, Any]) -> "Arms":
        """Read the arms of a resolved configuration; those without rows are left out."""
        names: dict[Pick, str] = {}
        plain = [name for name in table.arms if options_of(name, config) == options_of(None, config)]
        for arm in (describe(name, config) for name in dict.fromkeys((*plain, *table.arms))):
            if arm.rule is not None:
                names.setdefault((arm.rule, arm.reference), arm.name)
        return Arms(table, names)

    def values(self, pick: Pick, name: str, generation: int | None = None) -> dict[int, float]:
        """Return a metric of an arm, seed to mean over silos; empty if it was not run or not measured."""
        if pick not in self.names:
            return {}
        at = self.table.last if generation is None else generation
        return per_seed(self.table.values(self.names[pick], at, name))

    def end(self, pick: Pick, name: str) -> Estimate | None:
        """Return the mean over seeds at the last generation, or ``None`` if there is no value."""
        found = self.values(pick, name)
        return estimate(found.values()) if found else None

    def best(self, picks: Iterable[Pick], name: str) -> Pick | None:
        """Return the pick with the best mean at the end; ``None`` if none of them was measured."""
        ends = {pick: end.mean for pick in picks if (end := self.end(pick, name)) is not None}
        sign = -1.0 if metric(name).better == "lower" else 1.0
        return max(ends, key=lambda pick: sign * ends[pick], default=None)


def options_of(name: str | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return paradigm, include-real and generator of an arm in one mapping; of None the experiment's own."""
    spec: Mapping[str, Any] = next((a for a in config.get("arms") or [] if a.get("name") == name), {})
    recursion = config.get("recursion") or {}
    options = {
        key: recursion.get(key) if spec.get(key) is None else spec[key]
        for key in ("paradigm", "include-real")
    }
    return options | dict(config.get("generator") or {}) | dict(spec.get("generator") or {})


@dataclass(frozen=True)
class OrderFinding:
    """A claim on an order, what was measured, and the verdict.

    Attributes:
        order: As claimed.
        left: Mean of the left arm.
        right: Mean of the arm that it was held against.
        rival: Which one that was.
        margin: How far the left arm is on the claimed side, in the unit of the metric, paired by seed.
        verdict: ``agrees`` or ``differs`` if the margin's interval leaves out 0; ``open`` if it does not.
        why: The comparison in words.
        causes: Why it differs; empty if it does not, or the run cannot tell.
    """

    order: Order
    left: Estimate
    right: Estimate
    rival: Pick
    margin: Estimate
    verdict: Verdict
    why: str
    causes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Left over right; ``None`` if right is 0."""
        return self.left.mean / self.right.mean if self.right.mean else None

    def as_json(self) -> dict[str, Any]:
        """Return one entry of ``published.json``."""
        order = self.order
        return {
            "section": order.section,
            "quantity": order.quantity,
            "published": order.published,
            "metric": order.metric,
            "ours": self.left.as_json(),
            "against": self.right.as_json(),
            "margin": self.margin.as_json(),
            "verdict": self.verdict,
            "why": self.why,
            "causes": list(self.causes),
            "note": order.note,
        }


def order_findings(orders: Sequence[Order], arms: Arms) -> list[OrderFinding]:
    """Hold each claim against a run, in order; those whose arms or metric the run lacks are left out."""
    found = (_finding(order, arms) for order in orders)
    return [one for one in found if one is not None]


def _finding(order: Order, arms: Arms) -> OrderFinding | None:
    rival = arms.best(order.right, order.metric)
    if rival is None:
        return None
    left, right = arms.values(order.left, order.metric), arms.values(rival, order.metric)
    seeds = sorted(left.keys() & right.keys())
    if not seeds:
        return None
    sign = 1.0 if order.way == "above" else -1.0
    margin = estimate(sign * (left[seed] - order.factor * right[seed]) for seed in seeds)
    verdict = _verdict(margin)
    return OrderFinding(
        order,
        estimate(left[seed] for seed in seeds),
        estimate(right[seed] for seed in seeds),
        rival,
        margin,
        verdict,
        _why(order, margin, verdict),
    )


def _verdict(margin: Estimate) -> Verdict:
    low, high = margin.interval or (margin.mean, margin.mean)
    if low > 0:
        return "agrees"
    return "differs" if high < 0 else "open"


def _why(order: Order, margin: Estimate, verdict: Verdict) -> str:
    side = order.way if margin.mean > 0 else {"above": "below", "below": "above"}[order.way]
    times = "" if order.factor == 1 else f" {order.factor:g} × that"
    text = f"ends {side}{times} by {number(abs(margin.mean), 3)}"
    if margin.half is None:
        return f"{text}; one seed gives no interval"
    text += f" ± {number(margin.half, 3)}"
    return f"{text}: {counted(margin.seeds, 'seed')} cannot tell the two apart" if verdict == "open" else text
