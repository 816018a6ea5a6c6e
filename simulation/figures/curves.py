# SPDX-License-Identifier: Apache-2.0
"""Metrics against generation: one panel a metric, one line an arm, a 95 % band over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tailweave.simulation.figures.style import (
    arm_legend,
    colour_of,
    legend_columns,
    line_of,
    log_axis,
    look,
    only_whole_numbers,
    plain,
)
from tailweave.simulation.measurements import Measurements


@dataclass(frozen=True)
class Panel:
    """One metric as it is drawn.

    Attributes:
        metric: Name in ``metrics.jsonl``.
        title: Plain words, and which way is better.
        log: Whether the axis is logarithmic.
        ideal: Value of the truth itself, drawn as a thin line.
    """

    metric: str
    title: str
    log: bool = False
    ideal: float | None = None


PANELS = (
    Panel("coverage", "coverage of the truth ↑"),
    Panel("frechet", "Fréchet distance ↓ (log)", log=True),
    Panel("modes_covered", "modes covered ↑"),
    Panel("recall", "recall ↑"),
    Panel("vendi", "diversity (Vendi score) ↑"),
    Panel("variance_ratio", "variance kept → 1", ideal=1.0),
)


MOST_BANDS = 8
"""Arms that are drawn with intervals; those of more would hide each other."""


def draw_curves(table: Measurements) -> Figure | None:
    """Draw how each metric moves from generation to generation, a panel each; None if none was measured.

    Seeds give the bands: a single seed, or more than eight arms, gives lines without.
    """
    return draw_panels(table, PANELS)


def draw_panels(table: Measurements, wanted: Sequence[Panel]) -> Figure | None:
    """Draw those of the panels whose metric was measured; None if none was."""
    panels = [panel for panel in wanted if panel.metric in table.metrics]
    if not panels:
        return None
    columns = 2 if len(panels) == 4 else min(3, len(panels))  # four in a square, not three and one
    rows = -(-len(panels) // columns)
    with look():
        width = 11.1 if len(panels) == 4 else 3.7 * columns
        lines = -(-len(table.arms) // legend_columns([plain(arm) for arm in table.arms], width))
        figure = Figure(figsize=(width, 2.6 * rows + 0.3 + 0.2 * lines), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, table)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for axes in grid[-1]:
            axes.set_xlabel("generation")
        arm_legend(figure, table.arms)
    return figure


def _draw_panel(axes: Axes, panel: Panel, table: Measurements) -> None:
    colours, lines = colour_of(table.arms), line_of(table.arms)
    for arm in table.arms:
        curve = table.curve(arm, panel.metric)
        points = [(g, point.mean) for g, point in curve.items() if point.mean > 0 or not panel.log]
        bands = [(g, *point.interval) for g, point in curve.items() if point.interval]
        if panel.log:
            floor = min((mean for _, mean in points), default=1.0) / 10
            bands = [(g, max(low, floor), high) for g, low, high in bands if high > 0]
        if bands and len(table.arms) <= MOST_BANDS:
            at, low, high = zip(*bands, strict=True)
            axes.fill_between(at, low, high, color=colours[arm], alpha=0.16, linewidth=0)
        if points:
            axes.plot(*zip(*points, strict=True), color=colours[arm], linestyle=lines[arm])
    if panel.ideal is not None:
        axes.axhline(panel.ideal, color="#8c8c8c", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    if panel.log:
        log_axis(axes, "y")
    axes.set_title(panel.title)
    axes.margins(x=0.01)
    only_whole_numbers(axes)
