# SPDX-License-Identifier: Apache-2.0
"""Figures of the paper's own studies: lines are ours, markers with bars are published."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tailweave.protocols.kinds.studies.families import FamiliesSpec
from tailweave.protocols.kinds.studies.gaussian import GaussianSpec
from tailweave.simulation.figures.style import arm_legend, colour_of, log_axis, look
from tailweave.simulation.measurements import estimate
from tailweave.simulation.paper.closed_forms import accumulate_ratio, decay_exponent, replace_ratio
from tailweave.simulation.paper.gaussian import SETTINGS
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.claims import Claim


def draw_band(axes: Axes, rows: Sequence[Row], metric: str, colour: str, *, log: bool = True) -> None:
    """Draw mean and interval of ``metric`` over seeds against the generation."""
    values: dict[int, list[float]] = {}
    for row in rows:
        values.setdefault(row["generation"], []).append(row[metric])
    found = {time: estimate(seen) for time, seen in sorted(values.items())}
    times, means = list(found), [one.mean for one in found.values()]
    bounds = [one.interval or (one.mean, one.mean) for one in found.values()]
    low, high = np.array(bounds).T
    if log:
        low = np.maximum(low, min(means) / 3)  # a bound below zero has no place on a log axis
    axes.fill_between(times, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(times, means, color=colour)


def draw_variance(spec: GaussianSpec, rows: Sequence[Row], known: Sequence[Claim]) -> Figure:
    """Draw the variance kept in each setting, beside published means and closed forms."""
    names = {samples: f"n = {samples}" for samples in spec.samples}
    colours = colour_of(list(names.values()))
    with look():
        figure = Figure(figsize=(10.5, 6.6), layout="constrained")
        for axes, setting in zip(figure.subplots(2, 2).flat, SETTINGS, strict=True):
            for samples, name in names.items():
                here = [r for r in _of(rows, setting, samples) if r["generation"] > 0]
                draw_band(axes, here, "variance_ratio", colours[name])
                of = {"world": "published", "setting": setting, "samples": samples}
                points = [(c.at, c.published, c.rule.sem) for c in known if c.rule.sem and c.where == of]
                if points:
                    times, mean, sem = np.array(points).T
                    bars = np.minimum(sem, 0.9 * mean), sem  # a bar below zero has no place on a log axis
                    axes.errorbar(times, mean, bars, fmt="o", markersize=4, color=colours[name], linewidth=1)
            _closed(axes, spec, setting)
            _log(axes, "x")
            if setting != "accumulate":
                _log(axes, "y")
            axes.set_title(setting)
            axes.set_xlabel("generation t")
            axes.set_ylabel("Tr(Sₜ) / Tr(S₀)")
        arm_legend(figure, list(names.values()))
    return figure


def _closed(axes: Axes, spec: GaussianSpec, setting: str) -> None:
    times = np.arange(1, spec.generations + 1)
    curves: Mapping[str, list[np.ndarray]] = {
        "replace": [replace_ratio(n, spec.generations)[1:] for n in spec.samples],
        "accumulate": [accumulate_ratio(n, spec.generations)[1:] for n in spec.samples],
        "accumulate+select": [times ** -decay_exponent(spec.dimensions, spec.alpha)],
    }
    for curve in curves.get(setting, []):
        axes.plot(times, curve, color="#667080", linestyle=(0, (1.5, 1.5)), linewidth=1.2, zorder=1)


def draw_errors(spec: GaussianSpec, rows: Sequence[Row]) -> Figure:
    """Draw where the mean goes: its distance to the truth, and to the biased target."""
    colours = colour_of(SETTINGS)
    with look():
        figure = Figure(figsize=(10.5, 3.6), layout="constrained")
        for axes, metric, title in zip(
            figure.subplots(1, 2),
            ("mean_error_sq", "target_error_sq"),
            ("|μₜ − μ*|², to the truth", "|μₜ − u|², to the biased target"),
            strict=True,
        ):
            for setting in SETTINGS:
                draw_band(axes, _of(rows, setting, max(spec.samples)), metric, colours[setting], log=False)
            axes.set_title(title)
            axes.set_xlabel("generation t")
        arm_legend(figure, SETTINGS)
    return figure


def draw_dispersion(spec: FamiliesSpec, rows: Sequence[Row], known: Sequence[Claim]) -> Figure:
    """Draw the dispersion of each family, beside the published ends."""
    colours, samples = colour_of(SETTINGS), max(spec.samples)
    published = [claim for claim in known if claim.metric == "dispersion_ratio"]
    with look():
        figure = Figure(figsize=(10.5, 6.2), layout="constrained")
        grid = figure.subplots(-(-len(spec.families) // 2), 2, squeeze=False)
        for axes, family in zip(grid.flat, spec.families, strict=False):
            for setting in SETTINGS:
                of = {"family": family, "setting": setting, "samples": samples}
                draw_band(
                    axes, [r for r in rows if of.items() <= r.items()], "dispersion_ratio", colours[setting]
                )
                for claim in published:
                    if claim.where == of and claim.published > 0:
                        axes.plot([claim.at], [claim.published], "o", color=colours[setting], markersize=6)
            _log(axes, "y")
            axes.set_title(f"{family}, n = {samples}")
            axes.set_xlabel("generation t")
        for axes in grid.flat[len(spec.families) :]:
            axes.remove()
        arm_legend(figure, SETTINGS)
    return figure


def draw_transport(rows: Sequence[Row]) -> Figure:
    """Draw how far both protocols are from what is known to be right."""
    with look():
        figure = Figure(figsize=(10.5, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        fedwad = [r for r in rows if r["protocol"] == "fedwad"]
        for seed in dict.fromkeys(r["seed"] for r in fedwad):
            here = [r for r in fedwad if r["seed"] == seed]
            left.plot(
                [r["generation"] for r in here], [r["excess"] for r in here], color="#0072b2", alpha=0.7
            )
        _log(left, "y")
        left.set_title("FedWaD: length over W₂, minus 1")
        left.set_xlabel("round")
        gaps = [r for r in rows if r["protocol"] == "barycenter"]
        right.plot(
            [r["samples"] for r in gaps], [r["to_bures"] for r in gaps], "o", color="#d55e00", alpha=0.7
        )
        _log(right, "x")
        _log(right, "y")
        right.set_title("barycenter: distance to the closed form")
        right.set_xlabel("rows a silo, n")
    return figure


def _log(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic; 2 and 5 are written out too where there is room."""
    axes.set(**{f"{which}scale": "log"})
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    log_axis(axes, which, (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,))


def _of(rows: Sequence[Row], setting: str, samples: int) -> list[Row]:
    key = ("published", setting, samples)
    return [row for row in rows if (row["world"], row["setting"], row["samples"]) == key]
