# SPDX-License-Identifier: Apache-2.0
"""Which class the rarest mode is, and how many rows its share rests on, in a sentence."""

from collections.abc import Iterable, Mapping
from typing import Any

from tailweave.simulation.report.wording import counted


def rests_on(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each class that is the rarest in some seed; none where that was not kept."""
    found = summary.get("rarest_mode") or {}
    seeds: dict[str, list[str]] = {}
    for seed, name in found.get("classes", {}).items():
        seeds.setdefault(name, []).append(seed)
    return [_sentence(found, name, mine, alone=len(seeds) == 1) for name, mine in seeds.items()]


def _sentence(found: Mapping[str, Any], name: str, seeds: list[str], *, alone: bool) -> str:
    where = "" if alone else f" in seed {', '.join(seeds)}"
    rows, evaluation, whole = (
        _range(found[key][seed] for seed in seeds) for key in ("rows", "evaluation", "of")
    )
    return (
        f"The rarest mode{where} is class {name}: {rows} in all, and its share rests on {evaluation} of the "
        f"{whole} that are compared with."
    )


def _range(counts: Iterable[int]) -> str:
    found = sorted(counts)
    low, high = found[0], found[-1]
    return counted(low, "row") if low == high else f"{low:,} to {high:,} rows"
