# SPDX-License-Identifier: Apache-2.0
"""What a silo may report of a generation: each metric's range, so that no silo alone rules a mean."""

from collections.abc import Iterable

from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.metrics.base import LAST, MetricKind

METRICS = Family("metric", MetricKind, "tailweave.protocols.kinds.metrics")
MODE_SHARE = "mode_share/"
"""Begins the name of a class's share among the generated rows."""
CLASS_RECALL = "class_recall/"
"""Begins the name of the recall of a class."""
GROUP_PERPLEXITY = "group_perplexity/"
"""Begins the name of the perplexity of a class's held-out documents."""


def family(name: str) -> str:
    """Return the kind of a metric: of one class's what stands before the slash, else its name."""
    kind, slash, _ = name.partition("/")
    spec = METRICS.kinds.get(kind) if slash else None
    return kind if spec is not None and spec.per_class else name


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names as reports have them; classes stay in the order in which they came."""
    kinds = METRICS.kinds
    return sorted(names, key=lambda name: kinds[family(name)].place if family(name) in kinds else LAST + 1)


def check_metric(name: str, low: float, high: float) -> None:
    """Refuse a metric that nobody knows, or values that it cannot have.

    Raises:
        ValueError: Naming the metric, what was found and what is allowed.
    """
    kind = family(name)
    allowed = METRICS.kinds.get(kind)
    if allowed is None or allowed.sees == "report" or (allowed.per_class and kind == name):
        known = ", ".join(kind for kind, spec in METRICS.kinds.items() if spec.sees != "report")
        raise ValueError(f"metric {name!r} is not known here; known are {known}")
    if not allowed.low <= low <= high <= allowed.high:
        odd = low if low < allowed.low else high
        raise ValueError(f"metric {name} must be within {allowed.low:g} and {allowed.high:g}, got {odd:g}")
