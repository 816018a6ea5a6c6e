# SPDX-License-Identifier: Apache-2.0
"""What ``published.html`` shows of a run on language models: claims on the course of concentration."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from tailweave.simulation.arms import describe
from tailweave.simulation.figures.concentration import MASS, draw_concentration
from tailweave.simulation.measurements import Estimate, Measurements, estimate
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.paper.crossing import spread
from tailweave.simulation.paper.orders import Arms, options_of
from tailweave.simulation.paper.published import trends
from tailweave.simulation.paper.trends import TrendFinding, share_of, slopes, trend_findings
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.wording import (
    ARROWS,
    EN_DASH,
    counted,
    decimals_for,
    listed,
    metric,
    number,
    percent,
)

Config = Mapping[str, Any]
FIGURE = (
    "Every arm, generation by generation: means over seeds, and 95 % intervals of up to eight arms.",
    "concentration",
    draw_concentration,
)
_ENDS = (MASS, "next_token_entropy", "perplexity", "distinct_2")
_DATA = (
    "The paper fine-tunes models of billions of parameters and publishes none of these numbers; ours are of "
    "other text and another model: values do not compare, directions do."
)


def of_trends(run: OpenRun) -> tuple[dict[str, Any], list[TrendFinding]]:
    """Return the page's parts, but for its head and figures, and all findings."""
    arms = Arms.of(run.table, run.config)
    found = trend_findings(trends(), arms, run.config)
    parts = {
        "short": [_tally(found), *_missing(found)],
        "remark": _DATA,
        "differing": [(one.quantity, one.why) for one in found if one.verdict == "differs"],
        "causes": [],
        "undecided": [(one.quantity, one.why) for one in found if one.verdict == "open"],
        "overview": ("Arm by arm", _by_arm(run.table, run.config)),
        "headline": None,
        "tables": [(name, _claims(list(group))) for name, group in groupby(found, _section)],
    }
    return parts, found


def _section(found: TrendFinding) -> str:
    return found.trend.section


def _tally(found: Sequence[TrendFinding]) -> str:
    counts = {v: sum(one.verdict == v for one in found) for v in ("agrees", "differs", "open")}
    here = counted(sum(counts.values()), "claim")
    return (
        f"Of {here} that this run can speak to, {counts['agrees']} hold, {counts['differs']} do not, and "
        f"{counts['open']} stay open: the 95 % interval over seeds leaves it open, or there is one seed."
    )


def _missing(found: Sequence[TrendFinding]) -> list[str]:
    away = [one.quantity for one in found if one.verdict == "not in this run"]
    return [f"Not in this run: {listed(away)}."] if away else []


def _claims(found: Sequence[TrendFinding]) -> Table:
    heads = (
        ("published", ""),
        ("ours", "Mean over seeds ± half-width of its 95 % interval; of a slope, a generation."),
        ("against", ""),
        ("difference", "Paired by seed."),
        ("verdict", "Agrees or differs where a 95 % interval over seeds says so."),
    )
    notes = dict.fromkeys(one.trend.note for one in found if one.trend.note)
    return Table(" ".join(f"{note}." for note in notes), "claim", heads, tuple(map(_line, found)))


def _line(found: TrendFinding) -> Line:
    sides = (found.ours, found.against, found.difference)
    digits = decimals_for([side.mean for side in sides if side is not None])
    cells = (
        Cell(found.trend.published),
        *(_cell(side, digits) for side in sides),
        Cell(found.verdict, found.why, "clear" if found.verdict == "differs" else ""),
    )
    return Line(found.quantity, cells)


def _cell(found: Estimate | None, digits: int) -> Cell:
    return BLANK if found is None else Cell(number(found.mean, digits), spread(found, digits), "number")


def _by_arm(table: Measurements, config: Config) -> Table:
    """Each arm with what sets it apart, its slope of mass, and where it ends."""
    names = [name for name in _ENDS if name in table.metrics]
    heads = (
        ("rule", ""),
        (
            "synthetic tokens",
            "Of a document that the model draws; the others are the beginning of a real one.",
        ),
        ("temperature", ""),
        (f"{metric(MASS).title}, a generation", "Slope of a line through all generations."),
        *((f"{metric(name).title}{ARROWS[metric(name).better]}", metric(name).meaning) for name in names),
    )
    lines = tuple(_arm(arm, table, config, names) for arm in table.arms)
    caption = (
        f"At the last generation, after {counted(table.last, 'generation')}: mean ± half-width of the 95 % "
        "interval over seeds."
    )
    return Table(caption, "arm", heads, lines)


def _arm(arm: str, table: Measurements, config: Config, names: Sequence[str]) -> Line:
    options = options_of(arm, config)
    share, temperature = share_of(options), options.get("temperature")
    slope = slopes(table, arm, MASS)
    ends = {name: table.curve(arm, name).get(table.last) for name in names}
    digits = {name: decimals_for([end.mean]) if end else 0 for name, end in ends.items()}
    cells = (
        Cell(describe(arm, config).rule or EN_DASH),
        Cell(EN_DASH if share is None else percent(share)),
        Cell(EN_DASH if temperature is None else f"{temperature:g}"),
        _cell(estimate(slope.values()) if slope else None, 4),
        *(_cell(ends[name], digits[name]) for name in names),
    )
    return Line(arm, cells, str(options.get("paradigm") or ""))
