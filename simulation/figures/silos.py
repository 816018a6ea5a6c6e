# SPDX-License-Identifier: Apache-2.0
"""How many silos differ: what share of them lies below each value of a metric, a line an arm."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tailweave.protocols.arrays import Floats
from tailweave.simulation.figures.curves import PANELS, Panel
from tailweave.simulation.figures.style import MUTED, arm_legend, colour_of, line_of, log_axis, look
from tailweave.simulation.figures.wire import MOST_SILOS
from tailweave.simulation.measurements import Measurements


def draw_silos(table: Measurements) -> Figure | None:
    """Draw the distribution of each metric over the silos at the last generation; None for few silos.

    Up to ``MOST_SILOS`` the report has a line for each. Silos of all seeds count alike. The thin line is
    generation 0 of the first arm.
    """
    panels = [panel for panel in PANELS if panel.metric in table.metrics]
    if len(table.silos) <= MOST_SILOS or not panels:
        return None
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with look():
        figure = Figure(figsize=(3.7 * columns, 2.6 * rows + 0.5), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel, table)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for line in grid:
            line[0].set_ylabel("silos below")
            line[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        arm_legend(figure, table.arms)
    return figure


def _draw_panel(axes: Axes, panel: Panel, table: Measurements) -> None:
    colours, lines = colour_of(table.arms), line_of(table.arms)
    axes.plot(*_steps(panel, table, table.arms[0], 0), color=MUTED, linewidth=0.9)
    for arm in table.arms:
        axes.plot(*_steps(panel, table, arm, table.last), color=colours[arm], linestyle=lines[arm])
    axes.set_ylim(0.0, 1.0)
    axes.set_title(panel.title)
    if panel.log:
        log_axis(axes, "x")


def _steps(panel: Panel, table: Measurements, arm: str, generation: int) -> tuple[Floats, Floats]:
    """Return values and the shares of silos below them; 200 places are enough for any number of silos."""
    found = table.values(arm, generation, panel.metric).values()
    values = np.array([value for value in found if value > 0 or not panel.log])
    shares = np.linspace(0.0, 1.0, min(200, len(values) + 1) if len(values) else 0)
    return np.quantile(values, shares) if len(values) else values, shares
