# SPDX-License-Identifier: Apache-2.0
"""The table that a run prints when it is done."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from simulation.report.wording import metric

_SHOWN = ("frechet", "coverage", "recall", "modes_covered", "unseen_share")


def print_outcome(folder: Path, console: Console) -> None:
    """Print every arm's main metrics at the last generation, and which silos were missing or set aside.

    Means and 95 % half-widths are over seeds.

    Args:
        folder: A finished run folder.
        console: Where to print; a narrow one gets a narrow table.
    """
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    arms = summary["arms"]
    names = [name for name in _SHOWN if any(name in arm["last"] for arm in arms.values())]
    table = Table(title=f"{summary['name']}: generation {summary['generations']}", title_justify="left")
    table.add_column("arm", overflow="fold")
    for name in names:
        table.add_column(metric(name).title, justify="right")
    for arm, found in arms.items():
        table.add_row(arm, *(_cell(found["last"].get(name)) for name in names))
    console.print(table)
    for line in [*_missing(summary["events"]["missing"]), *_quarantine(summary["events"]["quarantined"])]:
        console.print(line, style="yellow")


def _missing(silos: Mapping[str, list[dict[str, object]]]) -> list[str]:
    return [
        f"{silo}: refused or missing ({', '.join(dict.fromkeys(str(event['round']) for event in events))}); "
        f"{events[-1]['reason']}"
        for silo, events in silos.items()
    ]


def _quarantine(silos: Iterable[str]) -> list[str]:
    return [
        f"{silo} was in quarantine, not counted in a reference: the report says why; "
        "name it in federation.trusted if you vouch for it"
        for silo in silos
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
