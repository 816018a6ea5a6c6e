# SPDX-License-Identifier: Apache-2.0
"""Who was missing when: the events of a run as one line for each absence, with its end."""

from collections.abc import Mapping, Sequence
from typing import Any

from tailweave.simulation.measurements import Measurements, natural

Rows = Sequence[Mapping[str, Any]]
UNNAMED = "not named"
"""Stands for a silo that never connected, where nobody knows its name."""
_MISSING = ("refused", "absent")
_OTHER = ("returned", "quarantined", "odd", "summed", "kept")


def absences(events: Rows, table: Measurements) -> list[dict[str, Any]]:
    """Pair what silos missed (rows of ``events.jsonl``, in order) with their return.

    Returns:
        By silo, then in order: ``silo``, ``seed``, ``round``, ``arm`` (None before retrain), ``reason``,
        ``silos`` (how many this line is about), ``times`` (how often in a row) and ``end``: what ended it,
        with ``seed``, ``round`` and ``arm``; else ``complete`` where the metrics are, or None.
    """
    found: list[dict[str, Any]] = []
    for event in events:
        kind = event.get("event", "refused")
        if kind == "returned":
            _close(found, event)
        elif kind in _MISSING or kind not in _OTHER:
            _open(found, event, unnamed=event.get("silo") is None)
    for case in found:
        if case["end"] is None and _complete(case, table):
            case["end"] = {"complete": True}
    return sorted(found, key=lambda case: natural(case["silo"]))


def _open(found: list[dict[str, Any]], event: Mapping[str, Any], *, unnamed: bool) -> None:
    silo = UNNAMED if unnamed else str(event["silo"])
    case = {"silo": silo} | {key: event.get(key) for key in ("seed", "round", "arm", "reason")}
    for earlier in found:
        if earlier["end"] is None and case.items() <= earlier.items():
            earlier["silos" if unnamed else "times"] += 1
            return
    found.append({**case, "silos": 1, "times": 1, "end": None})


def _close(found: list[dict[str, Any]], event: Mapping[str, Any]) -> None:
    silo = UNNAMED if event.get("silo") is None else str(event["silo"])
    where = {key: event.get(key) for key in ("seed", "round", "arm")}
    for case in [c for c in found if c["silo"] == silo and c["arm"] == event.get("arm") and c["end"] is None]:
        if case["silos"] > 1:
            case["silos"] -= 1
            found.append({**case, "silos": 1, "end": where})
            return
        case["end"] = where


def _complete(case: Mapping[str, Any], table: Measurements) -> bool:
    return (case["seed"], case["silo"]) in table.reached(str(case["arm"]), table.last)
