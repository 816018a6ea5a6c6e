# SPDX-License-Identifier: Apache-2.0
"""The table that a run prints when it is done."""

import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from rich.console import Console, RenderableType
from rich.text import Text

from tailweave.protocols.metrics import METRICS
from tailweave.protocols.visible import visible
from tailweave.simulation.folded import Column, folded
from tailweave.simulation.report.wording import as_declared, main_metrics, metric, owners_alone
from tailweave.simulation.run_folder import RunFolder

_SHOWN = ("frechet", "coverage", "recall", "modes_covered", "unseen_share")
_OF_TEXT = (
    *("perplexity", "perplexity_unseen", "top10_mass", "distinct_2"),
    *("group_distance", "picked_distance", "coverage"),
)
_OF_TABLE = (
    *("rarest_level_ratio", "levels_lost", "pairs_lost"),
    *("column_distance", "association_error", "coverage", "modes_covered"),
)
_OF_LABELS = ("accuracy", "minority_recall", "balanced_accuracy", "calibration_error", "coverage")

_NAMED = 10
"""Silos that have a sentence each; of more there is one for all."""
_BY_MARK = {"accuracy": _OF_LABELS, "perplexity": _OF_TEXT, "column_distance": _OF_TABLE}
"""What is shown where a metric was measured; the first one counts."""


class Outcome(NamedTuple):
    """What a run came to: every arm's main metrics at the last generation, means and half-widths over seeds.

    Attributes:
        title: Of the table.
        arms: Their names, a line each.
        columns: A metric each.
        missing: Sentences about silos that were missing or set aside.
        kept: Sentences about arms whose numbers are for the silos' owners.
    """

    title: str
    arms: Sequence[str]
    columns: Sequence[Column]
    missing: Sequence[str]
    kept: Sequence[str]

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Self:
        """Read a ``summary.json``."""
        arms, events = summary["arms"], summary["events"]
        known = METRICS.kinds
        others = [name for name in main_metrics() if name not in known or not METRICS.is_own(name)]
        measured = {name for arm in arms.values() for name in arm["last"]}
        shown = next((names for mark, names in _BY_MARK.items() if mark in measured), _SHOWN)
        names = [name for name in (*shown, *others) if name in measured]
        return cls(
            f"{summary['name']}: generation {summary['generations']}",
            list(arms),
            [
                Column(metric(name).title, [_cell(arm["last"].get(name)) for arm in arms.values()])
                for name in names
            ],
            [visible(line) for line in (*_missing(events["absences"]), *_quarantine(events["quarantined"]))],
            owners_alone(events.get("kept", {})),
        )

    def drawn(self, width: int) -> Iterator[RenderableType]:
        """Yield tables, narrow ones where there are few characters, and the sentences."""
        yield from folded(self.title, [Column("arm", self.arms, right=False)], self.columns, width)
        yield from (Text(line, style="yellow") for line in self.missing)
        yield from map(Text, self.kept)

    def as_html(self) -> str:
        """Return the table and the sentences for a notebook."""
        heads = "".join(f"<th>{html.escape(column.head)}</th>" for column in self.columns)
        lines = zip(self.arms, *(column.cells for column in self.columns), strict=True)
        body = "".join(_html_line(arm, cells) for arm, *cells in lines)
        said = "".join(f"<p>{html.escape(line)}</p>" for line in (*self.missing, *self.kept))
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead><tr><th>arm</th>{heads}</tr></thead><tbody>{body}</tbody></table>{said}"
        )


def print_outcome(folder: Path, console: Console) -> None:
    """Print what a run came to; a narrow console gets a narrow table."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    with as_declared(RunFolder(folder).declared()):
        outcome = Outcome.of(summary)
    for part in outcome.drawn(console.width):
        console.print(part)


def _html_line(arm: str, cells: Iterable[str]) -> str:
    return f"<tr><th>{html.escape(arm)}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _missing(absences: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name each silo that did not come back, with the rounds that it missed and the last reason."""
    told: dict[str, list[Mapping[str, Any]]] = {}
    for case in absences:
        if case["end"] is None:
            told.setdefault(str(case["silo"]), []).append(case)
    return [
        f"{silo}: refused or missing ({', '.join(dict.fromkeys(str(case['round']) for case in cases))}); "
        f"{cases[-1]['reason']}"
        for silo, cases in told.items()
    ]


def _quarantine(silos: Iterable[str]) -> list[str]:
    names = list(silos)
    if len(names) > _NAMED:
        return [
            f"{len(names)} silos were in quarantine, not counted in a reference ({', '.join(names[:_NAMED])} "
            "and others): the report says why; name in federation.trusted those for whom you vouch"
        ]
    return [
        f"{silo} was in quarantine, not counted in a reference: the report says why; "
        "name it in federation.trusted if you vouch for it"
        for silo in names
    ]


def _cell(estimate: dict[str, object] | None) -> str:
    if estimate is None:
        return "-"
    mean, interval = estimate["mean"], estimate.get("interval")
    if not isinstance(mean, float | int):
        return "-"
    if not isinstance(interval, list):
        return f"{mean:.3g}"
    return f"{mean:.3g} ±{(interval[1] - interval[0]) / 2:.2g}"
