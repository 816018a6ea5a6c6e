# SPDX-License-Identifier: Apache-2.0
"""Who was missing when, as a table of words."""

from collections.abc import Mapping
from typing import Any

from tailweave.simulation.absences import UNNAMED
from tailweave.simulation.report.layout import Cell, Line, Table
from tailweave.simulation.report.wording import counted

_CAPTION = (
    "Who was missing when. What a silo did not answer it is asked again: once it is back, and each round."
)
_HEADS = (
    ("missing since", "Seed and round; in retrain, the arm."),
    ("why", "As the server or the silo said."),
    ("back", "When it answered again."),
)


def absences(summary: Mapping[str, Any]) -> Table | None:
    """Return a line for each absence, those of several arms together; None if nobody was missing."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for case in summary["events"]["absences"]:
        end = case["end"]
        back = "no" if end is None else "all generations are there" if "complete" in end else _when(end)
        again = f" ({case['times']} times)" if case["times"] > 1 else ""
        key = (_who(case), _when(case), f"{case['reason']}{again}", back)
        groups.setdefault(key, []).extend([case["arm"]] if case["arm"] else [])
    lines = []
    for (silo, when, why, back), arms in groups.items():
        names = ", ".join(dict.fromkeys(arms))
        cells = (Cell(when, names), Cell(why), Cell(back, mark="danger" if back == "no" else ""))
        lines.append(Line(silo, cells))
    return Table(_CAPTION, "silo", _HEADS, tuple(lines)) if lines else None


def _who(case: Mapping[str, Any]) -> str:
    return f"{counted(case['silos'], 'silo')}, {UNNAMED}" if case["silo"] == UNNAMED else str(case["silo"])


def _when(where: Mapping[str, Any]) -> str:
    return f"seed {where['seed']}, {where['round']}"
