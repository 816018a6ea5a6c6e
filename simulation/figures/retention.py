# SPDX-License-Identifier: Apache-2.0
"""What is kept against epsilon: the last generation of the arms that differ in privacy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from tailweave.simulation.arm_privacy import epsilon_families
from tailweave.simulation.arms import describe, first_of
from tailweave.simulation.figures.style import INK, colour_of, line_of, log_axis, look, plain
from tailweave.simulation.measurements import Estimate, Measurements, estimate, per_seed

PANELS = (("frechet", "Fréchet distance ↓ (log)", True), ("coverage", "coverage of the truth ↑", False))
LINES = ("siloed", "anchored")
"""Roles drawn as horizontal lines: alone, and with the public base instead of the silos' help."""
_STEP = 2.2
"""Where 'none' stands, right of the largest epsilon, in multiples of it."""

Family = Mapping[str, float | None]


@dataclass(frozen=True)
class _Scene:
    """What both panels share: the table, families of arms, arms by role, and where 'none' stands."""

    table: Measurements
    families: Sequence[Family]
    rivals: dict[str, str]
    none_at: float


def draw_retention(table: Measurements, config: Mapping[str, Any]) -> Figure | None:
    """Draw the last generation's Fréchet distance, and coverage, against epsilon.

    A line, with 95 % intervals over seeds, for each family of arms that differ in epsilon alone, between
    horizontal lines of the siloed and the anchored arm; None if there is no such family or neither metric was
    measured.
    """
    scene = _scene(table, config)
    panels = [panel for panel in PANELS if _measured(scene, panel[0])]
    if not scene.families or not panels:
        return None
    with look():
        figure = Figure(figsize=(11.1, 4.0), layout="constrained")
        for axes, (metric, title, log) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(axes, scene, metric, log=log)
            axes.set_title(title)
        _legend(figure, scene)
    return figure


def _scene(table: Measurements, config: Mapping[str, Any]) -> _Scene:
    families = [
        {arm: epsilon for arm, epsilon in family.items() if arm in table.arms}
        for family in epsilon_families(config)
    ]
    families = [family for family in families if len(family) > 1]
    largest = max((e for family in families for e in family.values() if e is not None), default=1.0)
    arms = [describe(arm, config) for arm in table.arms]
    rivals = {role: arm.name for role in LINES if (arm := first_of(role, arms))}
    return _Scene(table, families, rivals, largest * _STEP)


def _measured(scene: _Scene, metric: str) -> bool:
    return any(_last(scene, arm, metric) for family in scene.families for arm in family)


def _last(scene: _Scene, arm: str, metric: str) -> Estimate | None:
    values = scene.table.values(arm, scene.table.last, metric)
    return estimate(per_seed(values).values()) if values else None


def _draw_panel(axes: Axes, scene: _Scene, metric: str, *, log: bool) -> None:
    colours = colour_of(scene.table.arms)
    for arm in scene.rivals.values():
        _draw_rival(axes, _last(scene, arm, metric), colours[arm])
    for family in scene.families:
        _draw_family(axes, scene, metric, family)
    if log:
        log_axis(axes, "y")
    else:
        axes.set_ylim(bottom=0.0)
    _epsilon_axis(axes, scene)


def _draw_rival(axes: Axes, found: Estimate | None, colour: str) -> None:
    if found is None:
        return
    axes.axhline(found.mean, color=colour, linewidth=1.6, linestyle=(0, (6, 2)), zorder=1.5)
    if found.interval and found.interval[0] > 0:  # on a log axis a band from 0 on would fill the panel
        axes.axhspan(*found.interval, color=colour, alpha=0.1, linewidth=0, zorder=1)


def _draw_family(axes: Axes, scene: _Scene, metric: str, family: Family) -> None:
    """Draw one line; its last piece, to the arm without noise, is dotted: there the axis is cut."""
    arms, colour = list(scene.table.arms), _colour(scene, family)
    points = [
        (scene.none_at if epsilon is None else epsilon, found, epsilon is None)
        for arm, epsilon in family.items()
        if (found := _last(scene, arm, metric))
    ]
    noised = [(x, found.mean) for x, found, exact in points if not exact]
    if noised:
        axes.plot(*zip(*noised, strict=True), color=colour, linestyle=line_of(arms)[next(iter(family))])
    if noised and points[-1][2]:
        x, found, _ = points[-1]
        axes.plot([noised[-1][0], x], [noised[-1][1], found.mean], color=colour, linestyle=(0, (1, 1.6)))
    for x, found, exact in points:
        low, high = found.interval or (found.mean, found.mean)
        low = low if low > 0 else found.mean / 10  # shown cut, as in the curves
        reach = [[found.mean - low], [high - found.mean]]
        fill = "none" if exact else colour
        axes.errorbar(
            x, found.mean, reach, color=colour, marker="o", markersize=7, markerfacecolor=fill, capsize=3.5,
            elinewidth=1.3, zorder=3,
        )  # fmt: skip


def _colour(scene: _Scene, family: Family) -> str:
    """Return the colour of the family's arm without noise, else of its first in the configuration."""
    arms = scene.table.arms
    exact = [arm for arm, epsilon in family.items() if epsilon is None]
    return colour_of(arms)[(exact or sorted(family, key=arms.index))[0]]


def _epsilon_axis(axes: Axes, scene: _Scene) -> None:
    epsilons = sorted({e for family in scene.families for e in family.values() if e is not None})
    exact = any(e is None for family in scene.families for e in family.values())
    ticks = {e: f"{e:g}" for e in epsilons} | ({scene.none_at: "none"} if exact else {})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: ticks.get(float(value), "")))
    axes.set_xlim(min(ticks) / 1.35, max(ticks) * 1.35)
    axes.set_xlabel("ε of one silo's summary (← more private)")


def _legend(figure: Figure, scene: _Scene) -> None:
    colours = colour_of(scene.table.arms)
    handles = [Line2D([], [], color=_colour(scene, f), marker="o", markersize=7) for f in scene.families]
    names = [plain(_family_name(scene, family)) for family in scene.families]
    for role, arm in scene.rivals.items():
        handles.append(Line2D([], [], color=colours[arm], linewidth=1.6, linestyle=(0, (6, 2))))
        names.append(plain(arm) if arm == role else f"{plain(arm)} ({role})")
    figure.legend(handles, names, loc="outside upper left", ncols=len(handles), fontsize=10.5, labelcolor=INK)


def _family_name(scene: _Scene, family: Family) -> str:
    exact = [arm for arm, epsilon in family.items() if epsilon is None]
    return (exact or sorted(family, key=scene.table.arms.index))[0]
