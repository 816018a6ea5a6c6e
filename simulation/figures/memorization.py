# SPDX-License-Identifier: Apache-2.0
"""Does the model still invent? Its distance to its own training rows, their entropy, and what stays real."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tailweave.simulation.figures.style import (
    MUTED,
    arm_legend,
    colour_of,
    line_of,
    log_axis,
    look,
    only_whole_numbers,
)
from tailweave.simulation.measurements import Measurements
from tailweave.simulation.memorization import SCORE, Relation, relation


def draw_memorization(table: Measurements) -> Figure | None:
    """Draw score against generation, entropy against the score, and the share of real rows if measured.

    None if there is no score above 0.
    """
    found = relation(table)
    if found is None:
        return None
    kept = "real_share" in table.metrics
    with look():
        figure = Figure(figsize=(3.7 * (3 if kept else 2), 3.3), layout="constrained")
        axes = figure.subplots(1, 3 if kept else 2)
        _curves(axes[0], table, SCORE)
        log_axis(axes[0], "y")
        axes[0].set_title("generalisation score (log)")
        _scatter(axes[1], found, table)
        if kept:
            _curves(axes[2], table, "real_share")
            axes[2].set_ylim(-0.02, 1.02)
            axes[2].set_title("share of real training rows")
        arm_legend(figure, table.arms)
    return figure


def _curves(axes: Axes, table: Measurements, metric: str) -> None:
    colours, lines = colour_of(table.arms), line_of(table.arms)
    for arm in table.arms:
        curve = table.curve(arm, metric)
        if curve:
            means = [point.mean for point in curve.values()]
            axes.plot(list(curve), means, color=colours[arm], linestyle=lines[arm])
    axes.set_xlabel("generation")
    axes.margins(x=0.01)
    only_whole_numbers(axes)


def _scatter(axes: Axes, found: Relation, table: Measurements) -> None:
    colours = colour_of(table.arms)
    for arm, points in found.points.items():
        if points:
            entropy, score = zip(*points, strict=True)
            axes.scatter(entropy, score, s=9, color=colours[arm], alpha=0.55, linewidths=0, rasterized=True)
    axes.set_title(f"entropy and score: r = {found.pearson:.2f}")
    axes.set_xlabel("entropy of the training rows, nats")
    axes.set_ylabel("log generalisation score")
    axes.annotate(
        f"{found.count:,} points",
        (0.97, 0.04),
        xycoords="axes fraction",
        ha="right",
        color=MUTED,
        fontsize=8.5,
    )
