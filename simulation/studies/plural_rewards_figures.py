# SPDX-License-Identifier: Apache-2.0
"""Figures of study ``plural-rewards``."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tailweave.clients.curation.plateau import plateau_share
from tailweave.protocols.kinds.studies.plural_rewards import PluralRewardsSpec
from tailweave.simulation.figures.style import MUTED, arm_legend, colour_of, log_axis, look
from tailweave.simulation.paper.figures import draw_band
from tailweave.simulation.run_folder import Row

_DOTTED = (0, (1.5, 1.5))


def draw_shares(spec: PluralRewardsSpec, rows: Sequence[Row]) -> Figure:
    """Draw the share of the first preference's mode, with all preferences asked and with one."""
    names = {k: f"K = {k}" for k in spec.candidates}
    colours, whose = (
        colour_of(list(names.values())),
        list(dict.fromkeys(r["asked"] for r in rows if "asked" in r)),
    )
    titles = {"all": "every preference is asked", "one": "one preference is asked"}
    with look():
        figure = Figure(figsize=(10.5, 3.8), layout="constrained")
        grid = figure.subplots(1, len(whose), squeeze=False, sharey=True).flat
        for axes, who in zip(grid, whose, strict=True):
            for k, name in names.items():
                mine = [row for row in rows if row.get("candidates") == k and row["asked"] == who]
                draw_band(axes, [r for r in mine if r["part"] == "loop"], "share", colours[name], log=False)
                exact = [row for row in mine if row["part"] == "expected"]
                axes.plot(
                    *_line(exact, "generation", "share"),
                    color=colours[name],
                    linestyle=_DOTTED,
                    linewidth=1.2,
                )
            axes.axhline(spec.weights[0], color=MUTED, linewidth=0.8)
            axes.set_ylim(-0.02, 1.02 if spec.weights[0] > 0.5 else 0.62)
            axes.set_title(titles[who])
            axes.set_xlabel("generation t")
        grid[0].set_ylabel("share of rows")
        arm_legend(figure, list(names.values()))
    return figure


def draw_limits(spec: PluralRewardsSpec, rows: Sequence[Row]) -> Figure:
    """Draw how the limit of many candidates is reached on the line, and where it lies on plateaus."""
    with look():
        figure = Figure(figsize=(10.5, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_course(left, spec, rows)
        _draw_plateaus(right, spec, rows)
    return figure


def _draw_course(axes: Axes, spec: PluralRewardsSpec, rows: Sequence[Row]) -> None:
    q, names = spec.weights[0], {separation: f"d = {separation:g}" for separation in spec.separations}
    colours = colour_of(list(names.values()))
    for separation, name in names.items():
        mine = [row for row in rows if row["part"] == "grid" and row["separation"] == separation]
        steps, errors = _line([row for row in mine if row["error"] > 0], "generation", "error")
        axes.plot(steps, errors, color=colours[name], label=name)
        limit = abs(plateau_share(q, separation**2) - q)
        if limit > 0:
            axes.axhline(limit, color=colours[name], linestyle=_DOTTED, linewidth=1.2)
    log_axis(axes, "x", (1.0,))
    log_axis(axes, "y", (1.0,))
    axes.legend()
    axes.set_title("rewards −(x ∓ d/2)²: |a − q|")
    axes.set_xlabel("step")


def _draw_plateaus(axes: Axes, spec: PluralRewardsSpec, rows: Sequence[Row]) -> None:
    q, gaps = spec.weights[0], np.geomspace(min(spec.gaps) / 1.2, max(spec.gaps) * 1.2, 200)
    axes.plot(gaps, [plateau_share(q, float(gap)) for gap in gaps], color="#0072b2")
    k = np.exp(-gaps)
    holds = (k < q) & (q < 1.0 - k)  # the lemma's condition
    lower, upper = (q - k[holds]) / (1.0 - k[holds]), q / (1.0 - k[holds])
    axes.fill_between(gaps[holds], lower, upper, color=MUTED, alpha=0.18, linewidth=0)
    axes.plot(*_line([row for row in rows if row["part"] == "plateau"], "gap", "share"), "o", color="#d55e00")
    axes.axhline(q, color=MUTED, linewidth=0.8)
    log_axis(axes, "x")
    axes.set_title("plateau rewards: share of the first basin")
    axes.set_xlabel("gap Δ")


def _line(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    return [row[x] for row in rows], [row[y] for row in rows]
