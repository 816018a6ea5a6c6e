# SPDX-License-Identifier: Apache-2.0
"""What was measured on each silo, as lines of a table: a line a silo, or how many silos spread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tailweave.simulation.figures.style import colour_of
from tailweave.simulation.figures.wire import MOST_SILOS
from tailweave.simulation.report.layout import BLANK, Cell, Line

SPREAD = (("lowest", 0.0), ("10 %", 0.1), ("median", 0.5), ("90 %", 0.9), ("highest", 1.0))
"""Shares of the silos below a value, by the name of its line."""

Shown = Callable[[str, float], str]
"""From a metric's name and a value to text."""


def silo_caption(summary: Mapping[str, Any], few: str, what: str) -> str:
    """Return ``few``, or for many silos how ``what`` is spread over them."""
    count = len(summary["silos"])
    if count <= MOST_SILOS:
        return few
    return (
        f"How {count:,} silos spread at the last generation: {what}, means over seeds. A line says what "
        "share of the silos lies below its values, each column for itself."
    )


def corner(summary: Mapping[str, Any]) -> str:
    """Return the head of the column of heads."""
    return "silo, arm" if len(summary["silos"]) <= MOST_SILOS else "arm"


def silo_lines(summary: Mapping[str, Any], names: Sequence[str], shown: Shown) -> tuple[Line, ...]:
    """Return a line for each silo and arm, or of many silos one for each arm and share of silos."""
    many = len(summary["silos"]) > MOST_SILOS
    return tuple(_spread(summary, names, shown) if many else _each(summary, names, shown))


def _each(summary: Mapping[str, Any], names: Sequence[str], shown: Shown) -> Iterator[Line]:
    colours = colour_of(list(summary["arms"]))
    for silo in summary["silos"]:
        for arm, found in summary["arms"].items():
            means = found["silos"].get(silo, {})
            cells = tuple(Cell(shown(n, means[n])) if n in means else BLANK for n in names)
            yield Line(f"{silo}, {arm}", cells, "", colours[arm])


def _spread(summary: Mapping[str, Any], names: Sequence[str], shown: Shown) -> Iterator[Line]:
    colours = colour_of(list(summary["arms"]))
    for arm, found in summary["arms"].items():
        values = {n: [means[n] for means in found["silos"].values() if n in means] for n in names}
        for title, share in SPREAD:
            cells = tuple(Cell(shown(n, below(values[n], share))) if values[n] else BLANK for n in names)
            yield Line(f"{arm}, {title}", cells, "", colours[arm])


def below(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the silos lies below, between two of them where need be."""
    return float(np.quantile(values, share))
