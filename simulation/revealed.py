# SPDX-License-Identifier: Apache-2.0
"""What left each silo, counted from the wire log: messages, bytes, fields, and their privacy cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from tailweave.simulation.measurements import natural

KEYS = ("seed", "round", "silo", "kind", "fields", "bytes")


def revealed(wire: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> dict[str, Any]:
    """Count what left the silos: rows of ``wire.jsonl``, beside what the resolved configuration promised.

    Returns:
        ``bytes`` and ``messages`` over all ``seeds``; ``epsilon``, the largest sum over one silo and seed, or
        ``None`` if the run or any summary was without differential privacy; then the same counts of
        ``summaries`` and by ``kinds`` and ``arms`` (of the messages made for one arm), each with ``fields``
        (name to the shapes and types seen), and by ``silos``, each with its ``kinds``.

    Raises:
        ValueError: If a row lacks a key or ``bytes`` is not a non-negative integer.
    """
    for number, row in enumerate(wire, start=1):
        missing = [key for key in KEYS if key not in row]
        if missing:
            raise ValueError(f"wire row {number} lacks {', '.join(missing)}: got keys {sorted(row)}")
        if not isinstance(row["bytes"], int) or row["bytes"] < 0:
            raise ValueError(
                f"wire row {number}: bytes must be an integer of at least 0, got {row['bytes']!r}"
            )
    own: dict[str, list[Mapping[str, Any]]] = {}
    for row in wire:
        own.setdefault(str(row["silo"]), []).append(row)
    summaries = [row for row in wire if _is_summary(row)]
    return {
        **_total(wire),
        "seeds": len({row["seed"] for row in wire}),
        "epsilon": _epsilon(wire, config),
        "summaries": {**_total(summaries), "fields": _fields(summaries)},
        "kinds": _grouped(wire, "kind"),
        "arms": _grouped([row for row in wire if row.get("arm") is not None], "arm"),
        "silos": {silo: _of_silo(own[silo]) for silo in sorted(own, key=natural)},
    }


def _of_silo(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {**_total(rows), "kinds": _grouped(rows, "kind")}


def _is_summary(row: Mapping[str, Any]) -> bool:
    # the kind may name the reference instead; projections of rows and parameters are releases like any other
    return row["round"] in ("transport", "masked", "fit") or "summarise" in (row["round"], row["kind"])


def _total(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"bytes": sum(row["bytes"] for row in rows), "messages": len(rows)}


def _grouped(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    members: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        members.setdefault(str(row[key]), []).append(row)
    return {name: {**_total(members[name]), "fields": _fields(members[name])} for name in sorted(members)}


def _fields(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    seen: dict[str, set[str]] = {}
    for row in rows:
        for name, field in row["fields"].items():
            shape = " x ".join(str(size) for size in field["shape"]) or "one value"
            seen.setdefault(name, set()).add(f"{shape}, {field['dtype']}")
    return {name: sorted(forms) for name, forms in sorted(seen.items())}


def _epsilon(wire: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> float | None:
    spent: dict[tuple[Any, Any], float] = {}
    promised = (config.get("privacy") or {}).get("epsilon")
    for row in wire:
        cost = (row.get("privacy") or {}).get("epsilon")
        if cost is None and _is_summary(row):
            return None
        spent[row["seed"], row["silo"]] = spent.get((row["seed"], row["silo"]), 0.0) + (cost or 0.0)
    worst = max(spent.values(), default=0.0)
    return None if promised is None and worst == 0.0 else worst
