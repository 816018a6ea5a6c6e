# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.simulation.measurements import measurements
from tailweave.simulation.paper.crossing import Crossing
from tailweave.simulation.paper.dots import draw_arms, draw_crossing
from tailweave.simulation.paper.orders import Arms

CONFIG = {
    "arms": [
        {"name": "true", "rule": "herding", "reference": "oracle"},
        {"name": "one", "rule": "nash", "reference": "geodesic"},
        {"name": "mine", "rule": "nash", "reference": "local"},
        {"name": "any", "rule": "random", "reference": None},
        {"name": "sketch", "rule": "herding", "reference": "sliced"},
    ]
}


def arms(metrics=("coverage", "frechet"), seeds=2):
    rows = [
        {"arm": arm["name"], "seed": seed, "silo": "silo-0", "generation": 1}
        | dict.fromkeys(metrics, 0.1 * (place + 1) + 0.01 * seed)
        for place, arm in enumerate(CONFIG["arms"])
        for seed in range(seeds)
    ]
    return Arms.of(measurements(rows, [arm["name"] for arm in CONFIG["arms"]]), CONFIG)


def dots(axes):
    return [(float(line.get_xdata()[0]), line) for line in axes.lines if line.get_marker() == "o"]


def test_every_arm_is_a_dot_at_its_mean_grouped_by_reference():
    coverage, frechet = draw_arms(arms()).axes
    assert [text.get_text() for text in coverage.get_yticklabels()] == [
        "any",
        "mine",
        "one",
        "sketch",
        "true",
    ]
    assert [x for x, _ in dots(coverage)] == pytest.approx([0.405, 0.305, 0.205, 0.505, 0.105])
    assert len({line.get_color() for _, line in dots(coverage)}) == 5
    assert (coverage.get_xscale(), frechet.get_xscale()) == ("linear", "log")


def test_random_selection_is_the_dashed_line():
    axes = draw_arms(arms()).axes[0]
    dashed = [line for line in axes.lines if line.is_dashed()]
    assert [line.get_xdata()[0] for line in dashed] == pytest.approx([0.405])


def test_one_seed_has_no_intervals():
    axes = draw_arms(arms(seeds=1)).axes[0]
    assert len(axes.lines) == 5 + 1


def test_rules_keep_their_colour_over_references():
    axes = draw_crossing(Crossing.of(arms())).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "own rows",
        "geodesic",
        "sliced",
        "the truth",
    ]
    colours = {round(x, 3): line.get_color() for x, line in dots(axes)}
    assert colours[0.105] == colours[0.505]  # herding
    assert colours[0.205] == colours[0.305]  # nash
    assert colours[0.105] != colours[0.205]


def test_what_was_not_measured_is_not_drawn():
    assert len(draw_arms(arms(("frechet",))).axes) == 1
    assert draw_arms(arms(("recall",))) is None
    assert draw_crossing(Crossing.of(arms(("recall",)))) is None
