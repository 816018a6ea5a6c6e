# SPDX-License-Identifier: Apache-2.0
"""What left each silo: bytes by kind of message, with the names of the fields inside."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from tailweave.simulation.figures.style import look, plain

_KIND_COLOURS = ("#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#8c8c8c")
MOST_SILOS = 30
"""Silos that are shown one by one; of more nobody reads them."""
KIB = 1024


def draw_wire(revealed: Mapping[str, Any]) -> Figure | None:
    """Draw one bar a silo and seed, stacked by kind of message; None if nothing left any silo.

    Of more than ``MOST_SILOS`` those that sent most are drawn.
    """
    silos = revealed["silos"]
    if not revealed["bytes"]:
        return None
    kept = set(sorted(silos, key=lambda silo: -silos[silo]["bytes"])[:MOST_SILOS])
    shown = [silo for silo in silos if silo in kept][::-1]
    kinds = sorted(revealed["kinds"], key=lambda kind: -revealed["kinds"][kind]["bytes"])
    colours = {kind: _KIND_COLOURS[i % len(_KIND_COLOURS)] for i, kind in enumerate(kinds)}
    with look():
        figure = Figure(figsize=(11.1, 0.32 * len(shown) + 0.4 * len(kinds) + 0.9), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(shown)
        for kind in kinds:
            width = [
                silos[s]["kinds"].get(kind, {"bytes": 0})["bytes"] / revealed["seeds"] / KIB for s in shown
            ]
            axes.barh([plain(s) for s in shown], width, left=left, color=colours[kind], height=0.66)
            left = [start + more for start, more in zip(left, width, strict=True)]
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} KiB"))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("sent by one silo, per seed")
        handles = [Patch(color=colours[kind]) for kind in kinds]
        names = [_named(kind, revealed["kinds"][kind]) for kind in kinds]
        figure.legend(handles, names, loc="outside upper left", ncols=1, alignment="left")
    return figure


def _named(kind: str, group: Mapping[str, Any]) -> str:
    fields = ", ".join(plain(name) for name in group["fields"]) or "no fields"
    return f"{plain(kind)}: {plain(fields, 100)}"
