# SPDX-License-Identifier: Apache-2.0
"""The tables of the report, as text cells that the template only lays out."""

from collections.abc import Mapping, Sequence
from typing import Any

from tailweave.simulation.figures.style import colour_of
from tailweave.simulation.figures.wire import MOST_SILOS
from tailweave.simulation.measurements import natural
from tailweave.simulation.report.by_silo import SPREAD, below, corner, silo_caption, silo_lines
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.wording import (
    ARROWS,
    counted,
    decimals_for,
    half_width,
    main_metrics,
    metric,
    number,
    percent,
    size,
)

Summary = Mapping[str, Any]
Estimate = Mapping[str, Any]
SHARE = "mode_share/"


HALF_LIFE = ("half-life", "First generation whose coverage is below half of generation 0's.")


def results(summary: Summary, names: Sequence[str] | None = None) -> Table:
    """Arms x metrics (``names``, or the main ones) at the last generation, each column's best mean marked.

    The oracle, which no federation can have, is never marked. Where all arms start from one base, its
    generation 0 is the first line.
    """
    wanted = main_metrics() if names is None else names
    arms, names = (
        summary["arms"],
        [n for n in wanted if any(n in a["last"] for a in summary["arms"].values())],
    )
    decimals = {
        n: _decimals(n, [a["last"][n]["mean"] for a in arms.values() if n in a["last"]]) for n in names
    }
    best = {name: _best(arms, name, decimals[name]) for name in names}
    lines = _base(arms, decimals)
    for arm, colour in colour_of(list(arms)).items():
        found = arms[arm]["last"]
        cells = [_cell(found.get(n), decimals[n], mark="best" if arm in best[n] else "") for n in names]
        note = arms[arm]["role"] if arms[arm]["role"] != arm else ""
        lines.append(Line(arm, (*cells, *_half_life(arms[arm], names)), note, colour))
    over = f"over {len(summary['seeds'])} seeds" if len(summary["seeds"]) > 1 else "needs more than one seed"
    caption = (
        f"After {counted(summary['generations'], 'generation')}: mean, ± half-width of its 95 % Student-t "
        f"interval ({over}). Shaded: best mean of the column, oracle aside."
    )
    return Table(
        caption, "arm", (*_heads(names), *([HALF_LIFE] if "coverage" in names else [])), tuple(lines)
    )


def _base(arms: Mapping[str, Any], decimals: Mapping[str, int]) -> list[Line]:
    starts = [tuple(_cell(a["first"].get(n), d) for n, d in decimals.items()) for a in arms.values()]
    if any(start != starts[0] for start in starts) or all(cell == BLANK for cell in starts[0]):
        return []
    rest = [BLANK] if "coverage" in decimals else []
    return [Line("generation 0", (*starts[0], *rest), "the base all arms start from")]


def _cell(found: Estimate | None, decimals: int, *, mark: str = "", signed: bool = False) -> Cell:
    if found is None:
        return BLANK
    return Cell(number(found["mean"], decimals, signed=signed), half_width(found, decimals), mark)


def _half_life(arm: Mapping[str, Any], names: Sequence[str]) -> list[Cell]:
    if "coverage" not in names:
        return []
    if "coverage" not in arm["first"] or "coverage" not in arm["last"]:
        return [BLANK]
    reached = arm["collapse"]["half_life"]
    return [Cell("never" if reached is None else str(reached))]


def _heads(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((metric(n).title + ARROWS[metric(n).better], metric(n).meaning) for n in names)


def _decimals(name: str, values: Sequence[float]) -> int:
    fixed = metric(name).decimals
    return decimals_for(values) if fixed is None else fixed


def _best(arms: Mapping[str, Any], name: str, decimals: int) -> set[str]:
    merit = {"higher": lambda v: v, "lower": lambda v: -v, "one": lambda v: -abs(v - 1)}
    better = metric(name).better
    means = {
        arm: round(found["last"][name]["mean"], decimals)
        for arm, found in arms.items()
        if name in found["last"] and found["role"] != "oracle"
    }
    if better is None or len(set(means.values())) < 2:
        return set()
    merits = {arm: merit[better](mean) for arm, mean in means.items()}
    return {arm for arm, value in merits.items() if value == max(merits.values())}


def differences(summary: Summary, rival: str) -> Table | None:
    """Paired differences of every arm to one rival, those whose interval excludes 0 marked ``clear``."""
    arms = {a: f["paired"][rival] for a, f in summary["arms"].items() if rival in f["paired"]}
    names = [n for n in main_metrics() if any(n in paired for paired in arms.values())]
    if not names:
        return None
    decimals = {
        n: _decimals(n, [paired[n]["mean"] for paired in arms.values() if n in paired]) for n in names
    }
    colours = colour_of(list(summary["arms"]))
    lines = [
        Line(arm, tuple(_difference(paired.get(n), decimals[n]) for n in names), "", colours[arm])
        for arm, paired in arms.items()
    ]
    caption = f"Difference to {rival} at the last generation, paired by seed. Bold: the interval excludes 0."
    return Table(caption, "arm", _heads(names), tuple(lines))


def _difference(found: Estimate | None, decimals: int) -> Cell:
    low, high = (found and found["interval"]) or (0.0, 0.0)
    return _cell(found, decimals, mark="clear" if low > 0 or high < 0 else "", signed=True)


def retention(summary: Summary) -> Table | None:
    """Metric at the last generation over metric at generation 0, per arm."""
    names = [n for n in main_metrics() if any(a["retention"].get(n) for a in summary["arms"].values())]
    colours = colour_of(list(summary["arms"]))
    lines = []
    for arm, found in summary["arms"].items():
        kept = [found["retention"].get(n) for n in names]
        lines.append(Line(arm, tuple(_cell(k, 2) for k in kept), "", colours[arm]))
    caption = "Retention: last generation over generation 0. 1 is nothing lost."
    return Table(caption, "arm", _heads(names), tuple(lines)) if names else None


def per_silo(summary: Summary) -> Table:
    """Main metrics on every silo at the last generation, means over seeds."""
    names = [n for n in main_metrics() if any(n in a["last"] for a in summary["arms"].values())]
    values = {
        n: [f[n] for a in summary["arms"].values() for f in a["silos"].values() if n in f] for n in names
    }
    decimals = {n: _decimals(n, values[n]) for n in names}
    said = silo_caption(summary, "Every silo at the last generation, means over seeds.", "main metrics")
    lines = silo_lines(summary, names, lambda n, v: number(v, decimals[n]))
    return Table(said, corner(summary), _heads(names), lines)


def mode_shares(summary: Summary) -> Table | None:
    """Share of every mode on every silo at the last generation: where a rare mode can be looked up."""
    names = sorted(
        {n for a in summary["arms"].values() for n in a["last"] if n.startswith(SHARE)}, key=natural
    )
    if not names:
        return None
    thinned = {SHARE + label for label in summary["thinned"]}
    heads = tuple((n.removeprefix(SHARE) + (" (thinned)" if n in thinned else ""), "") for n in names)
    few = "Share of each mode on every silo at the last generation, means over seeds."
    said = silo_caption(summary, few, "share of each mode")
    return Table(said, corner(summary), heads, silo_lines(summary, names, lambda _, v: percent(v)))


def messages(summary: Summary) -> Table:
    """What left the silos by kind of message: bytes, and every field with its shapes."""
    found = summary["revealed"]
    shares = found["seeds"] * len(found["silos"])
    lines = []
    for kind, group in found["kinds"].items():
        fields = "; ".join(f"{name} ({' or '.join(forms)})" for name, forms in group["fields"].items())
        cells = (
            Cell(str(group["messages"])),
            Cell(size(group["bytes"] / shares)),
            Cell(size(group["bytes"])),
        )
        lines.append(Line(kind, cells, fields or "no fields"))
    heads = (
        ("messages", "All seeds and silos."),
        ("per silo and seed", "Mean."),
        ("in all", "All seeds and silos."),
    )
    return Table("Every message that left a silo, by kind, with its fields.", "kind", heads, tuple(lines))


def sent_by_silo(summary: Summary) -> Table:
    """What left each silo, per seed."""
    found = summary["revealed"]
    kinds = list(found["kinds"])
    sent = {
        silo: [*(group["kinds"].get(kind, {"bytes": 0})["bytes"] for kind in kinds), group["bytes"]]
        for silo, group in found["silos"].items()
    }
    caption = "What left each silo, per seed."
    if len(sent) > MOST_SILOS:
        caption = (
            f"What left each of {len(sent):,} silos, per seed; a line says which share of them lies below."
        )
        columns = list(zip(*sent.values(), strict=True))
        sent = {title: [below(column, share) for column in columns] for title, share in SPREAD}
    lines = [Line(head, tuple(Cell(size(b / found["seeds"])) for b in parts)) for head, parts in sent.items()]
    heads = (*((kind, "") for kind in kinds), ("in all", ""))
    return Table(caption, "silo", heads, tuple(lines))
