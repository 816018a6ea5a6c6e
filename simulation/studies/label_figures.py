# SPDX-License-Identifier: Apache-2.0
"""Figures of self-labelling, in the shape of the published curves."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tailweave.simulation.figures.style import MUTED, colour_of, log_axis, look
from tailweave.simulation.measurements import estimate
from tailweave.simulation.paper.figures import draw_band
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.claims import Claim

_DOTTED = (0, (1.5, 1.5))


def draw_accuracy(rows: Sequence[Row], claims: Sequence[Claim]) -> Figure:
    """Draw accuracy against size, a panel a first size of at most six, a line a rate."""
    courses = [row for row in rows if "accuracy" in row]
    firsts = sorted({row["first"] for row in courses})
    shown = [firsts[at] for at in sorted({*np.linspace(0, len(firsts) - 1, 6).round().astype(int)})]
    rates = sorted({row["rate"] for row in courses})
    colours = _colours(rates)
    with look():
        down = -(-len(shown) // 2) if len(shown) > 1 else 1
        figure = Figure(figsize=(10.5, 4.4 * down), layout="constrained")
        grid = figure.subplots(down, min(2, len(shown)), squeeze=False)
        for axes, first in zip(grid.flat, shown, strict=False):
            here = [row for row in courses if row["first"] == first]
            for rate in rates:
                course = [row for row in here if row["rate"] == rate]
                draw_band(axes, course, "accuracy", colours[rate], over="size", log=False)
                _published(axes, claims, here[0] | {"rate": rate}, colours[rate])
            majority = estimate(row["accuracy"] - row["above_majority"] for row in here).mean
            axes.axhline(majority, color=MUTED, linestyle=_DOTTED, linewidth=1.2)
            if len({row["size"] for row in here}) > 1:
                log_axis(axes, "x")
            axes.set_title(f"{here[0]['data']}, {here[0]['classifier']}, from {first} true labels")
            axes.set_xlabel("rows learned from")
            axes.set_ylabel("accuracy")
        for axes in list(grid.flat)[len(shown) :]:
            axes.remove()
        _rate_legend(figure, colours)
    return figure


def draw_break_even(rows: Sequence[Row]) -> Figure:
    """Draw what is reached at the last size against the rate, of the course from the smallest first size."""
    courses = [row for row in rows if "accuracy" in row]
    here = [row for row in courses if row["first"] == min(row["first"] for row in courses)]
    ends, start = [row for row in here if row["last"]], [row for row in here if row["generation"] == 0]
    with look():
        figure = Figure(figsize=(10.5, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_band(left, ends, "accuracy", "#0072b2", over="rate", log=False)
        at_first = estimate(row["accuracy"] for row in start).mean
        left.axhline(at_first, color=MUTED, linestyle=_DOTTED, linewidth=1.2)
        left.set_title(f"accuracy at {ends[0]['size']} rows")
        for metric, colour, name in (
            ("wrong", "#d55e00", "training labels that are wrong"),
            ("largest", "#009e73", "given the class named most"),
        ):
            draw_band(right, ends, metric, colour, over="rate", log=False)
            right.lines[-1].set_label(name)
        right.set_title(f"shares at {ends[0]['size']} rows")
        right.legend()
        for axes in (left, right):
            axes.set_xlabel("share of each batch that the model labels")
    return figure


def _colours(rates: Sequence[float]) -> dict[float, str]:
    """Return a colour a rate: as in all figures up to seven, above that from blue to red."""
    if len(rates) <= 7:
        named = colour_of([f"{rate:g}" for rate in rates])
        return {rate: named[f"{rate:g}"] for rate in rates}
    parts = np.linspace(0.0, 1.0, len(rates))
    return {rate: _mixed(part) for rate, part in zip(rates, parts, strict=True)}


def _mixed(part: float) -> str:
    low, high = np.array([0, 114, 178]), np.array([213, 94, 0])
    red, green, blue = (low + part * (high - low)).round().astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _rate_legend(figure: Figure, colours: dict[float, str]) -> None:
    handles = [Line2D([], [], color=colour, linewidth=2.6) for colour in colours.values()]
    names = [f"rate {rate:g}" for rate in colours]
    figure.legend(handles, names, loc="outside upper left", ncols=min(len(names), 6), fontsize=10.5)


def _published(axes: Axes, claims: Iterable[Claim], like: Row, colour: str) -> None:
    """Mark the published accuracies of a course."""
    names = ("data", "classifier", "first", "rate")
    for claim in claims:
        of = claim.where
        here = claim.metric == "accuracy" and all(of.get(key, like[key]) == like[key] for key in names)
        if here and "size" in of:
            axes.plot([float(of["size"])], [float(claim.published)], "o", color=colour, markersize=4)
