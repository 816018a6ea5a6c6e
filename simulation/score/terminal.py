# SPDX-License-Identifier: Apache-2.0
"""A score in a terminal or a notebook: groups, distances, the answer last."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from tailweave.clients.metrics.lost_groups import Group
from tailweave.simulation.report.wording import counted, number, percent
from tailweave.simulation.score.distances import SPLITS, Spread
from tailweave.simulation.score.page import between, title

if TYPE_CHECKING:
    from tailweave.simulation.score.score import Score

_MOST = 12
"""Groups that are shown; all that are lost or thinner are."""


def drawn(score: "Score") -> Iterator[Table | Text]:
    """Yield what is printed."""
    changed = len(score.lost) + len(score.thinner)
    shown = score.groups[: max(changed, _MOST)]
    yield _groups(shown)
    if len(shown) < len(score.groups):
        rest = len(score.groups) - len(shown)
        yield Text(f"and {counted(rest, 'group')} more, none lost; all are in --json and --page")
    if score.distances:
        yield _distances(score)
    yield Text(
        f"{score.copied:,} of {score.synthetic_rows:,} synthetic rows equal a real one; {score.repeated:,} "
        f"of {score.real_rows:,} real rows equal another real one"
    )
    for note in score.notes:
        yield Text(f"note: {note}", style="yellow")
    yield Text(score.rule)
    yield Text(score.headline, style="red" if score.lost else "bold")


def _groups(shown: tuple[Group, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("group", overflow="fold", ratio=1)
    for head in ("real", "synthetic", "share kept"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for group in shown:
        kept = "-" if group.kept is None else f"{number(group.kept, 2)} ({between(group.interval, 2)})"
        table.add_row(
            group.name,
            f"{group.real:,} ({percent(group.real_share)})",
            f"{group.synthetic:,} ({percent(group.synthetic_share)})",
            kept,
            group.verdict,
            style={"lost": "red", "thinner": "yellow"}.get(group.verdict),
        )
    return table


def _distances(score: "Score") -> Table:
    what = f"Distances; in brackets, where 95 % of {SPLITS} splits lie"
    table = Table(title=what, title_justify="left", box=None, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for head in ("synthetic", "real half against half"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, one in score.distances.items():
        table.add_row(title(name).replace("\u00a0", " "), _spread(one.synthetic), _spread(one.real))
    return table


def _spread(found: Spread) -> str:
    return f"{number(found.mean, 3)} ({between((found.low, found.high), 3)})"
