# SPDX-License-Identifier: Apache-2.0
"""``summary.json``: the numbers that a run comes down to, made from the run folder alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tailweave.simulation.absences import absences
from tailweave.simulation.arm_privacy import arm_privacy
from tailweave.simulation.arms import describe, first_of
from tailweave.simulation.measurements import (
    Estimate,
    Measurements,
    estimate,
    measurements,
    natural,
    per_seed,
)
from tailweave.simulation.memorization import relation
from tailweave.simulation.metric_rows import MetricRows
from tailweave.simulation.revealed import revealed

Rows = Sequence[Mapping[str, Any]]
SHARE = "mode_share/"
COLLAPSE_METRIC = "coverage"
COLLAPSED_BELOW = 0.5
_EVENTS = ("refused", "absent", "returned", "quarantined", "odd", "summed", "kept")
_SUMMED = ("seed", "silos", "left-out", "attempts", "reason")


def summarise(
    table: Measurements, config: Mapping[str, Any], *, wire: Rows = (), events: Rows = ()
) -> dict[str, Any]:
    """Reduce a run to its summary; the order of rows does not matter.

    "Last" is the last generation that every arm and seed has reached. Every estimate is a mean over seeds of
    means over silos, with a 95 % Student-t interval (``None`` with one seed).

    Returns:
        ``name``, ``generations`` (the last one), ``seeds``, ``silos``, ``thinned`` (labels that the public
        base saw less of), ``arms``, ``revealed``, ``events`` and ``entropy_and_score`` (``relation``'s
        correlation and number of points). An arm has ``privacy`` (its promise), ``first``, ``last`` and
        ``retention`` (metric to estimate; retention ``None`` where the start is 0), ``paired`` (last minus
        that of the siloed and the no-selection arm, over shared silos), ``collapse`` (``half_life``: first
        generation whose coverage is below half of the start's, ``None`` if never) and ``silos`` (silo to
        metric to mean at the last generation).

    Raises:
        ValueError: If a row of the wire log is broken.
    """
    return {
        "name": str(config.get("name", "")),
        "generations": table.last,
        "seeds": list(table.seeds),
        "silos": list(table.silos),
        "thinned": thinned_labels(config),
        "arms": {arm: _arm(table, arm, config) for arm in table.arms},
        "revealed": revealed(wire, config),
        "events": _events(events, table),
        "entropy_and_score": _relation(table),
    }


def _relation(table: Measurements) -> dict[str, Any] | None:
    found = relation(table)
    return None if found is None else {"pearson": found.pearson, "points": found.count}


def measured(rows: MetricRows | Iterable[Mapping[str, Any]], config: Mapping[str, Any]) -> Measurements:
    """Index metric rows, arms in the order of the configuration.

    Where ``public.class-weights`` thins classes, every row that has all their shares gains ``thinned_share``,
    their sum.

    Raises:
        ValueError: If there are no rows or one is broken.
    """
    keys = [SHARE + label for label in thinned_labels(config)]
    found = MetricRows.of(rows)
    if keys:
        found = found.with_sum("thinned_share", keys)
    return measurements(found, [str(arm["name"]) for arm in config.get("arms") or []])


def thinned_labels(config: Mapping[str, Any]) -> list[str]:
    """Return the labels of which the public base generator saw less than its share, sorted."""
    weights = (config.get("public") or {}).get("class-weights") or {}
    return sorted((str(label) for label, weight in weights.items() if weight < 1), key=natural)


def _arm(table: Measurements, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    arm = describe(name, config)
    first, last = 0, table.last
    rivals = [
        first_of(role, [describe(a, config) for a in table.arms]) for role in ("siloed", "no-selection")
    ]
    cells = [table.reached(name, generation) for generation in table.generations(name)]
    return {
        "role": arm.role,
        "rule": arm.rule,
        "reference": arm.reference,
        "generator": dict(arm.generator),
        "privacy": asdict(arm_privacy(name, config)),
        "rows": sum(len(cell) for cell in cells),
        "silo_count": len({silo for cell in cells for _, silo in cell}),
        "first": _estimates(table, name, first),
        "last": _estimates(table, name, last),
        "retention": {m: _json(_retention(table, name, m)) for m in table.metrics},
        "paired": {
            rival.name: _paired(table, name, rival.name) for rival in rivals if rival and rival.name != name
        },
        "collapse": _collapse(table, name),
        "silos": _by_silo_at_last(table, name),
    }


def _json(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else found.as_json()


def _estimates(table: Measurements, arm: str, generation: int) -> dict[str, Any]:
    found = {metric: table.values(arm, generation, metric) for metric in table.metrics}
    return {m: estimate(per_seed(values).values()).as_json() for m, values in found.items() if values}


def _common(*sides: dict[tuple[int, str], float]) -> list[dict[int, float]]:
    """Average each side over the (seed, silo) pairs that all sides have, so that like meets like."""
    shared = set(sides[0]).intersection(*sides[1:])
    return [per_seed({key: side[key] for key in shared}) for side in sides]


def _retention(table: Measurements, arm: str, metric: str) -> Estimate | None:
    start, end = _common(table.values(arm, 0, metric), table.values(arm, table.last, metric))
    if not start or any(value == 0 for value in start.values()):
        return None
    return estimate(end[seed] / start[seed] for seed in start)


def _paired(table: Measurements, arm: str, rival: str) -> dict[str, Any]:
    differences = {}
    for metric in table.metrics:
        mine, theirs = _common(*(table.values(name, table.last, metric) for name in (arm, rival)))
        if mine:
            differences[metric] = estimate(mine[seed] - theirs[seed] for seed in mine).as_json()
    return differences


def _collapse(table: Measurements, arm: str) -> dict[str, Any]:
    curve = {g: point.mean for g, point in table.curve(arm, COLLAPSE_METRIC).items() if g <= table.last}
    start = curve.get(0)
    fallen = [] if start is None else [g for g, mean in curve.items() if mean < COLLAPSED_BELOW * start]
    return {"metric": COLLAPSE_METRIC, "below": COLLAPSED_BELOW, "half_life": min(fallen, default=None)}


def _by_silo_at_last(table: Measurements, arm: str) -> dict[str, dict[str, float]]:
    """Return silo to metric to mean over seeds."""
    means: dict[str, dict[str, float]] = {silo: {} for silo in table.silos}
    for metric in table.metrics:
        own: dict[str, list[float]] = {}
        for (_, silo), value in sorted(table.values(arm, table.last, metric).items()):
            own.setdefault(silo, []).append(value)
        for silo, values in own.items():
            means[silo][metric] = estimate(values).mean
    return means


def _events(events: Rows, table: Measurements) -> dict[str, Any]:
    """Return whom something happened to, and whose rows stop before the last generation."""
    told: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in _EVENTS}
    for event in events:
        told.get(str(event.get("event")), told["refused"]).append(event)
    seen = [event for kind in ("refused", "absent", "quarantined") for event in told[kind]]
    expected = {(arm, seed, silo) for arm in table.arms for seed in table.seeds for silo in table.silos}
    ended = {(arm, seed, silo) for arm in table.arms for seed, silo in table.reached(arm, table.last)}
    return {
        "count": len(seen),
        "missing": _by_silo(told["refused"]),
        "absences": absences(events, table),
        "quarantined": _by_silo(told["quarantined"]),
        "odd": _by_silo(told["odd"]),
        "summed": [{key: event.get(key) for key in _SUMMED} for event in told["summed"]],
        "kept": _kept(told["kept"]),
        "stopped_early": _in_order({silo for _, _, silo in expected - ended}),
    }


def _kept(events: Rows) -> dict[str, list[str]]:
    """Return, for each arm whose numbers owners keep, which silos'."""
    found: dict[str, set[str]] = {}
    for event in events:
        found.setdefault(str(event.get("arm")), set()).add(str(event.get("silo")))
    return {arm: _in_order(silos) for arm, silos in found.items()}


def _by_silo(events: Rows) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in sorted(events, key=lambda row: (str(row.get("seed")), str(row.get("round")))):
        detail = {key: event.get(key) for key in ("seed", "round", "reason")}
        found.setdefault(str(event.get("silo")), []).append(detail)
    return {silo: found[silo] for silo in _in_order(found)}


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=natural)
