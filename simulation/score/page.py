# SPDX-License-Identifier: Apache-2.0
"""The page of a score: one self-contained HTML file in the report's look, without scripts."""

from pathlib import Path
from typing import TYPE_CHECKING

from tailweave.clients.metrics.lost_groups import Group
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.page import templates
from tailweave.simulation.report.wording import ARROWS, metric, number, percent
from tailweave.simulation.score.distances import Distance, Spread

if TYPE_CHECKING:
    from tailweave.simulation.score.score import Score

NEAREST = "nearest real row"
"""What the mean distance to it is called."""
_COLOURS = {"lost": "var(--red)", "thinner": "var(--accent)"}


def write_page(score: "Score", path: Path) -> None:
    """Write the page, whole or not at all."""
    html = templates().get_template("score.html.md").render(score=score, tables=[groups(score), far(score)])
    write_whole(path, html)


def title(name: str) -> str:
    """Return what a metric is called."""
    return NEAREST if name == "nearest" else metric(name).title + ARROWS[metric(name).better]


def between(found: tuple[float, float] | None, decimals: int) -> str:
    """Format an interval; empty where there is none."""
    return "" if found is None else f"{number(found[0], decimals)} to {number(found[1], decimals)}"


def shown_p(value: float) -> str:
    """Format a p-value."""
    return "< 0.0001" if value < 1e-4 else number(value, 4)


def groups(score: "Score") -> Table:
    """Lay out what became of each group."""
    heads = (
        ("real rows", "Rows in it, and their share."),
        ("synthetic rows", "Rows in it, and their share."),
        ("share kept", "Synthetic share over real share; below, its 95 % interval."),
        ("p", "Of Fisher's exact test, adjusted for all groups."),
        ("verdict", ""),
    )
    caption = f"Groups and what became of them. {score.rule}"
    return Table(caption, "group", heads, tuple(map(_line, score.groups)))


def _line(group: Group) -> Line:
    mark = "clear" if group.verdict in _COLOURS else ""
    kept = BLANK if group.kept is None else Cell(number(group.kept, 2), between(group.interval, 2), mark)
    p = BLANK if group.verdict == "too few rows" else Cell(shown_p(group.p_value))
    cells = (
        Cell(f"{group.real:,}", percent(group.real_share)),
        Cell(f"{group.synthetic:,}", percent(group.synthetic_share)),
        kept,
        p,
        Cell(group.verdict, "", mark),
    )
    return Line(group.name, cells, "", _COLOURS.get(group.verdict, ""))


def far(score: "Score") -> Table:
    """Lay out the distances."""
    heads = (
        ("synthetic rows", "Against one half of the real rows."),
        ("the other half", "Of the real rows, against the same: what nothing could be better than."),
    )
    caption = (
        "Distances over 20 random splits of the real rows into halves; below, where 95 % of the splits lie."
        if score.distances
        else "No distances: too few rows, or all real rows are equal."
    )
    return Table(caption, "metric", heads, tuple(_far(name, one) for name, one in score.distances.items()))


def _far(name: str, found: Distance) -> Line:
    return Line(title(name), (_spread(found.synthetic), _spread(found.real)))


def _spread(found: Spread) -> Cell:
    return Cell(number(found.mean, 3), between((found.low, found.high), 3))
