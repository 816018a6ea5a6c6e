# SPDX-License-Identifier: Apache-2.0
"""A score in a terminal or a notebook: the answer, groups, distances."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tailweave.simulation.folded import Column, folded
from tailweave.simulation.report.wording import number, percent
from tailweave.simulation.score.page import between, shown_p, title

if TYPE_CHECKING:
    from tailweave.simulation.score.score import Score

_MOST = 30
"""Groups that are shown; those that are lost or thinner are all shown."""


def drawn(score: "Score", width: int) -> Iterator[Table | Text]:
    """Yield what is printed."""
    changed = len(score.lost) + len(score.thinner)
    groups = score.groups[: max(changed, _MOST)]
    fixed = [Column("group", [group.name for group in groups], right=False)]
    columns = [
        Column("real", [f"{group.real:,} ({percent(group.real_share)})" for group in groups]),
        Column("synthetic", [f"{group.synthetic:,} ({percent(group.synthetic_share)})" for group in groups]),
        Column("kept", ["-" if group.kept is None else number(group.kept, 2) for group in groups]),
        Column("95 % interval", [between(group.interval, 2) or "-" for group in groups]),
        Column("p", ["-" if g.verdict == "too few rows" else shown_p(g.p_value) for g in groups]),
        Column("verdict", [group.verdict for group in groups], right=False),
    ]
    yield from folded("", fixed, columns, width)
    if len(groups) < len(score.groups):
        yield Text(f"and {len(score.groups) - len(groups)} more groups")
    names = list(score.distances)
    if names:
        found = score.distances.values()
        yield from folded(
            "Distances, and between which values 95 % of 20 splits lie",
            [Column("metric", [title(name).replace("\u00a0", " ") for name in names], right=False)],
            [
                Column("synthetic", [_spread(one.synthetic) for one in found]),
                Column("real half against half", [_spread(one.real) for one in found]),
            ],
            width,
        )
    yield Text(
        f"{score.copied:,} of {score.synthetic_rows:,} synthetic rows equal a real one; {score.repeated:,} "
        f"of {score.real_rows:,} real rows equal another real one"
    )
    for note in score.notes:
        yield Text(f"note: {note}", style="yellow")
    yield Text(score.rule)
    yield Text(score.headline, style="red" if score.lost else "bold")


def _spread(found: object) -> str:
    return f"{number(found.mean, 3)} ({between((found.low, found.high), 3)})"
