# SPDX-License-Identifier: Apache-2.0
"""Shares of the modes from generation to generation, stacked: which modes die, and which take over."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tailweave.protocols.arrays import Floats
from tailweave.simulation.figures.style import PAPER, look, only_whole_numbers, plain
from tailweave.simulation.measurements import Estimate, Measurements, natural

PREFIX = "mode_share/"
MOST_LABELS = 40
MOST_COLUMNS = 5


def draw_shares(table: Measurements) -> Figure | None:
    """Draw each label's mean share over seeds against generation, one column an arm; None without labels.

    Silos that have each collapsed onto modes of their own still look whole when averaged, so the mean over
    silos stands above the first silo alone. Of more than 40 labels the 40 with the largest shares are drawn.
    """
    labels = _labels(table)
    if not labels:
        return None
    columns = min(MOST_COLUMNS, len(table.arms))
    blocks = [table.arms[i : i + columns] for i in range(0, len(table.arms), columns)]
    views = (None, table.silos[0]) if len(table.silos) > 1 else (None,)
    lines = [(view, block) for block in blocks for view in views]
    ramp = matplotlib.colormaps["viridis"](np.linspace(0.0, 1.0, len(labels)))
    with look():
        figure = Figure(figsize=(11.1, 2.2 * len(lines) + 0.2), layout="constrained")
        grid = figure.subplots(len(lines), columns, squeeze=False, sharey=True)
        for cells, (silo, arms) in zip(grid, lines, strict=True):
            cells[0].set_ylabel(_whose(silo, table.silos))
            for axes, arm in zip(cells, arms, strict=False):
                _draw_panel(axes, [table.curve(arm, PREFIX + label, silo) for label in labels], ramp)
                axes.set_title(plain(arm, 22) if silo is None else "")
            for axes in cells[len(arms) :]:
                axes.remove()
        for axes in grid[-1][: len(blocks[-1])]:
            axes.set_xlabel("generation")
        handles = [Patch(color=colour) for colour in ramp]
        names = [plain(label, 16) for label in labels]
        figure.legend(
            handles[::-1], names[::-1], loc="outside right upper", ncols=1 + len(labels) // 21, title="mode"
        )
    return figure


def _whose(silo: str | None, silos: Sequence[str]) -> str:
    if silo is not None:
        return f"{plain(silo)} alone"
    return "all silos" if len(silos) > 1 else plain(silos[0])


def _labels(table: Measurements) -> list[str]:
    labels = sorted((m.removeprefix(PREFIX) for m in table.metrics if m.startswith(PREFIX)), key=natural)
    if len(labels) <= MOST_LABELS:
        return labels
    largest = sorted(labels, key=lambda label: -_largest(table, label))[:MOST_LABELS]
    return [label for label in labels if label in largest]


def _largest(table: Measurements, label: str) -> float:
    return max(point.mean for arm in table.arms for point in table.curve(arm, PREFIX + label).values())


def _draw_panel(axes: Axes, curves: Sequence[Mapping[int, Estimate]], ramp: Floats) -> None:
    generations = sorted(set().union(*curves))
    shares = [[curve[g].mean if g in curve else 0.0 for g in generations] for curve in curves]
    if generations:
        axes.stackplot(generations, shares, colors=ramp, edgecolor=PAPER, linewidth=0.6)
        axes.set_ylim(0.0, 1.0)
        axes.margins(x=0)
    axes.grid(visible=False)
    only_whole_numbers(axes)
