# SPDX-License-Identifier: Apache-2.0
"""The table that a run prints when it is done."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tailweave.protocols.metrics import METRICS
from tailweave.protocols.visible import visible
from tailweave.simulation.folded import Column, folded
from tailweave.simulation.report.wording import as_declared, main_metrics, metric, owners_alone
from tailweave.simulation.run_folder import RunFolder

_SHOWN = ("frechet", "coverage", "recall", "modes_covered", "unseen_share")


def print_outcome(folder: Path, console: Console) -> None:
    """Print every arm's main metrics at the last generation, and which silos were missing or set aside.

    Means and 95 % half-widths are over seeds.

    Args:
        folder: A finished run folder.
        console: Where to print; a narrow one gets a narrow table.
    """
    with as_declared(RunFolder(folder).declared()):
        _print(folder, console)


def _print(folder: Path, console: Console) -> None:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    arms = summary["arms"]
    known = METRICS.kinds
    others = [name for name in main_metrics() if name not in known or not METRICS.is_own(name)]
    names = [name for name in (*_SHOWN, *others) if any(name in arm["last"] for arm in arms.values())]
    title = f"{summary['name']}: generation {summary['generations']}"
    columns = [
        Column(metric(name).title, [_cell(arm["last"].get(name)) for arm in arms.values()]) for name in names
    ]
    for table in folded(title, [Column("arm", list(arms), right=False)], columns, console.width):
        console.print(table)
    for line in [*_missing(summary["events"]["absences"]), *_quarantine(summary["events"]["quarantined"])]:
        console.print(visible(line), style="yellow", markup=False, emoji=False)
    for line in owners_alone(summary["events"].get("kept", {})):
        console.print(line, markup=False, emoji=False)


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
