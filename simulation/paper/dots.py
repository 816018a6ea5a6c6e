# SPDX-License-Identifier: Apache-2.0
"""Figures of the paper's experiments: one dot an arm with its interval, for runs of two dozen arms."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tailweave.protocols.config.references import RAW_ROW_KINDS
from tailweave.simulation.figures.style import log_axis, look, plain
from tailweave.simulation.measurements import Estimate
from tailweave.simulation.paper.crossing import TITLES, Crossing
from tailweave.simulation.paper.orders import RANDOM, SCHEMES, Arms, Pick

_GROUPS: Mapping[str, str] = {
    "compares with nothing": "#667080",
    "own rows": "#d55e00",
    "the paper's schemes": "#cc79a7",
    "summaries of all silos": "#009e73",
    "the truth": "#56b4e9",
}
_RULES = ("#d55e00", "#cc79a7", "#0072b2", "#009e73", "#e69f00", "#56b4e9")
_PANELS = (("coverage", "coverage of the truth ↑"), ("frechet", "Fréchet distance ↓ (log)"))
"""Metric, and title of its panel; Fréchet distances get a logarithmic axis."""


def draw_arms(arms: Arms) -> Figure | None:
    """Draw coverage and Fréchet distance of every arm at the last generation, grouped by reference.

    The dashed line is random selection. None if neither metric was measured.
    """
    lines = sorted(arms.names, key=lambda pick: list(_GROUPS).index(_group(pick)))
    panels = [p for p in _PANELS if any(arms.end(pick, p[0]) is not None for pick in lines)]
    if not panels:
        return None
    places = {pick: -float(row) for row, pick in enumerate(lines)}
    with look():
        figure = Figure(figsize=(11.1, 0.27 * len(lines) + 1.3), layout="constrained")
        for axes, (name, title) in zip(_row(figure, panels), panels, strict=True):
            for pick, place in places.items():
                _dot(axes, arms.end(pick, name), place, _GROUPS[_group(pick)])
            _finish(axes, arms, name, title)
            axes.set_yticks(list(places.values()), [plain(arms.names[pick]) for pick in places])
        _legend(figure, {group: _GROUPS[group] for group in dict.fromkeys(map(_group, lines))})
    return figure


def _group(pick: Pick) -> str:
    rule, kind = pick
    if kind is None:
        return "compares with nothing"
    if pick in SCHEMES or kind in RAW_ROW_KINDS:
        return "the paper's schemes"
    return {"local": "own rows", "oracle": "the truth"}.get(kind, "summaries of all silos")


def draw_crossing(crossing: Crossing) -> Figure | None:
    """Draw every rule on every reference: a row a reference, a colour a rule; None of nothing."""
    arms = crossing.arms
    panels = [p for p in _PANELS if any(arms.end(pick, p[0]) is not None for pick in arms.names)]
    if not panels or not crossing.rules:
        return None
    colours = {rule: _RULES[i % len(_RULES)] for i, rule in enumerate(crossing.rules)}
    step = 0.7 / len(crossing.rules)
    with look():
        figure = Figure(figsize=(11.1, 0.85 * len(crossing.references) + 1.2), layout="constrained")
        for axes, (name, title) in zip(_row(figure, panels), panels, strict=True):
            for row, kind in enumerate(crossing.references):
                for i, rule in enumerate(crossing.rules):
                    place = -row + step * ((len(crossing.rules) - 1) / 2 - i)
                    _dot(axes, arms.end((rule, kind), name), place, colours[rule])
            _finish(axes, arms, name, title)
            axes.set_yticks(
                [-float(row) for row in range(len(crossing.references))],
                [plain(TITLES.get(kind, kind)) for kind in crossing.references],
            )
        _legend(figure, colours)
    return figure


def _row(figure: Figure, panels: Sequence[Any]) -> Sequence[Axes]:
    row: Sequence[Axes] = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    return row


def _dot(axes: Axes, found: Estimate | None, place: float, colour: str) -> None:
    if found is None:
        return
    if found.interval is not None:
        low, high = (
            max(found.interval[0], 1e-3),
            max(found.interval[1], 1e-3),
        )  # none below 0, some on a log axis
        axes.plot([low, high], [place, place], color=colour, alpha=0.45, linewidth=2.4)
    axes.plot([found.mean], [place], "o", color=colour, markersize=5.5)


def _finish(axes: Axes, arms: Arms, name: str, title: str) -> None:
    random = arms.end(RANDOM, name)
    if random is not None:
        axes.axvline(random.mean, color="#667080", linestyle=(0, (3, 2)), linewidth=1, zorder=1)
    if name == "frechet":
        log_axis(axes, "x")
        means = [end.mean for pick in arms.names if (end := arms.end(pick, name)) is not None]
        positive = [mean for mean in means if mean > 0]
        if positive:
            axes.set_xlim(min(positive) / 2.5, max(positive) * 2.5)
    axes.set_title(title)
    axes.margins(y=0.02)
    axes.tick_params(axis="y", length=0)


def _legend(figure: Figure, colours: Mapping[str, str]) -> None:
    handles = [Line2D([], [], marker="o", linestyle="none", color=colour) for colour in colours.values()]
    figure.legend(handles, list(colours), loc="outside upper left", ncols=len(colours), fontsize=10)
