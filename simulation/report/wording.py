# SPDX-License-Identifier: Apache-2.0
"""Names, directions and number formats that the report speaks with."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from tailweave.protocols.kinds.metrics.base import LAST
from tailweave.protocols.metrics import METRICS
from tailweave.protocols.sorts import SORTS

MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
KIB = 1024


@dataclass(frozen=True)
class Metric:
    """A metric in plain words; see ``protocols.kinds.metrics.base`` for what each says."""

    title: str
    meaning: str
    better: Literal["higher", "lower", "one"] | None
    decimals: int | None = None
    role: str = "other"
    rank: int = LAST
    takes: Sequence[str] = SORTS


_OF_A_RUN: ContextVar[Mapping[str, Metric]] = ContextVar("metrics of a run", default=MappingProxyType({}))


@contextmanager
def as_declared(found: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Speak of metrics as a run folder declares them: its kinds may be gone, or called otherwise by now."""
    before = _OF_A_RUN.set({name: Metric(**parts) for name, parts in found.items()})
    try:
        yield
    finally:
        _OF_A_RUN.reset(before)


def shown_metrics() -> dict[str, Metric]:
    """Return all metrics that have a place in reports, in their order."""
    kinds = {name: Metric(**kind.declaration()) for name, kind in METRICS.kinds.items()}
    found = {name: one for name, one in (kinds | dict(_OF_A_RUN.get())).items() if one.role != "part"}
    return dict(sorted(found.items(), key=lambda item: (item[1].rank, item[0])))


def main_metrics() -> list[str]:
    """Return the names of those that stand in every table."""
    return [name for name, one in shown_metrics().items() if one.role == "main"]


ARROWS = {"higher": "\u00a0↑", "lower": "\u00a0↓", "one": "\u00a0→\u00a01", None: ""}
"""No-break spaces keep an arrow on the line of its word."""


def metric(name: str) -> Metric:
    """Return a metric in plain words; one that nobody declares keeps its own name."""
    if (found := _OF_A_RUN.get().get(name)) is None and name in METRICS.kinds:
        found = Metric(**METRICS.kinds[name].declaration())
    return Metric(name, "", None) if found is None or found.role == "part" else found


def decimals_for(values: Sequence[float]) -> int:
    """Return how many decimals show three digits of the largest value, from 0 to 6."""
    largest = max((abs(value) for value in values), default=0.0)
    return 2 if largest == 0 else min(6, max(0, 2 - math.floor(math.log10(largest))))


def number(value: float, decimals: int = 2, *, signed: bool = False) -> str:
    """Format a number with a true minus sign; zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def half_width(found: Mapping[str, Any], decimals: int) -> str:
    """Format half the width of an estimate's 95 % interval; empty with one seed."""
    if found["interval"] is None:
        return ""
    low, high = found["interval"]
    return f"± {number((high - low) / 2, decimals)}"


def size(count: float) -> str:
    """Format bytes as B, KiB or MiB."""
    if count < KIB:
        return f"{count:.0f} B"
    return f"{count / KIB:.1f} KiB" if count < KIB**2 else f"{count / KIB**2:.1f} MiB"


def percent(share: float) -> str:
    """Format a share as per cent; one decimal below 10 %, two below 0.1 %."""
    steps = (0.00095, 0.0995)  # below these two decimals and one: what would be rounded up has fewer
    decimals = 2 - sum(abs(share) >= step for step in steps) if share else 1
    return f"{number(100 * share, decimals)} %"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def counted(count: int, noun: str) -> str:
    """Return ``1 seed``, ``3 seeds``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def owners_alone(kept: Mapping[str, Sequence[str]]) -> list[str]:
    """Say of each arm whose numbers the owners keep where they can be read."""
    return [
        f"{arm}: measured on the nodes of {listed(silos)}, for their owners alone, who read it by "
        "tailweave deploy report"
        for arm, silos in kept.items()
    ]
