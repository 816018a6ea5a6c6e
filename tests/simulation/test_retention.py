# SPDX-License-Identifier: Apache-2.0
"""The figure *retention against epsilon*: one line a family, most private first, between its rivals."""

import pytest

from tailweave.simulation.figures.retention import draw_retention
from tailweave.simulation.summary import measured

SLICED = {"kind": "sliced", "directions": 8, "coefficients": 2}
ENDS = {"siloed": 3.0, "anchored": 1.0, "open": 0.2, "eight": 0.25, "two": 0.4}


def arm(name, **more):
    return {"name": name, "rule": "herding", "reference": SLICED, **more}


CONFIG = {
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": {"kind": "local"}},
        {"name": "anchored", "rule": "herding", "reference": {"kind": "public"}},
        arm("open", epsilon=None),
        arm("eight", epsilon=8.0),
        arm("two", epsilon=2.0),
    ],
    "privacy": {"epsilon": 2.0, "delta": 1e-6},
}


def table(*metrics):
    rows = [
        {"arm": name, "seed": seed, "silo": "s", "generation": generation}
        | dict.fromkeys(metrics, end * (1 + 0.1 * seed))
        for name, end in ENDS.items()
        for seed in (0, 1)
        for generation in (0, 1)
    ]
    return measured(rows, CONFIG)


def test_the_curve_runs_from_most_private_to_no_noise():
    figure = draw_retention(table("frechet", "coverage"), CONFIG)
    frechet, coverage = figure.axes
    assert frechet.get_yscale() == "log"
    assert coverage.get_yscale() == "linear"
    curve = next(line for line in frechet.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] == 2.0)
    assert list(curve.get_xdata()) == [2.0, 8.0]
    assert list(curve.get_ydata()) == pytest.approx([0.42, 0.2625])  # means over the two seeds
    levels = {
        round(line.get_ydata()[0], 6) for line in frechet.lines if line.get_ydata()[0] == line.get_ydata()[-1]
    }
    assert {3.15, 1.05} <= levels  # siloed and anchored, as horizontal lines
    ticks = {frechet.xaxis.get_major_formatter()(x) for x in frechet.xaxis.get_major_locator()()}
    assert ticks == {"2", "8", "none"}


def test_only_measured_metrics_are_drawn():
    (axes,) = draw_retention(table("coverage"), CONFIG).axes
    assert "coverage" in axes.get_title(loc="left")
    assert draw_retention(table("recall"), CONFIG) is None


def test_arms_that_differ_in_more_than_epsilon_give_no_figure():
    config = {**CONFIG, "arms": CONFIG["arms"][:4]}
    config["arms"][3] = {**arm("eight", epsilon=8.0), "rule": "partial-transport"}
    assert draw_retention(table("frechet"), config) is None
