# SPDX-License-Identifier: Apache-2.0
"""Entropy against score: the correlation by hand, what is left out, and how it reaches summary and figure."""

import math

import pytest
from scipy.stats import pearsonr

from tailweave.protocols.streams import stream
from tailweave.simulation import summary
from tailweave.simulation.figures.memorization import draw_memorization
from tailweave.simulation.measurements import measurements
from tailweave.simulation.memorization import relation


def summarise(rows, config, **beside):
    return summary.summarise(summary.measured(rows, config), config, **beside)


def rows(points, **more):
    return [
        {
            "arm": f"arm-{number % 2}",
            "seed": 0,
            "silo": "silo-0",
            "generation": number // 2,
            "generalization_score": score,
            "training_entropy": entropy,
            **more,
        }
        for number, (entropy, score) in enumerate(points)
    ]


def test_the_correlation_is_pearsons_over_the_points_of_all_arms():
    rng = stream(0, "points")
    points = [(e, math.exp(0.3 * e + rng.normal())) for e in rng.normal(size=12)]
    found = relation(measurements(rows(points)))
    entropies, scores = zip(*points, strict=True)
    assert found.pearson == pytest.approx(pearsonr(entropies, [math.log(s) for s in scores])[0], abs=1e-12)
    assert found.count == 12
    assert found.points["arm-1"][0] == (points[1][0], math.log(points[1][1]))


def test_an_exact_law_has_correlation_one():
    points = [(e, math.exp(0.5 * e - 1.0)) for e in (-3.0, 0.0, 1.0, 4.0)]
    assert relation(measurements(rows(points))).pearson == pytest.approx(1.0, abs=1e-12)


def test_a_score_of_zero_is_left_out_and_too_little_says_nothing():
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (-9.0, 0.0)]
    assert relation(measurements(rows(points))).count == 3
    assert relation(measurements(rows(points[:2]))) is None
    assert relation(measurements(rows([(1.0, 2.0), (1.0, 3.0), (1.0, 4.0)]))) is None
    assert draw_memorization(measurements(rows(points[:2]))) is None


def test_the_figure_shows_the_real_share_where_it_was_measured_and_says_r():
    points = [(e, math.exp(0.5 * e)) for e in (-3.0, 0.0, 1.0, 4.0)]
    assert len(draw_memorization(measurements(rows(points))).axes) == 2
    figure = draw_memorization(measurements(rows(points, real_share=0.5)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "generalisation score (log)",
        "entropy and score: r = 1.00",
        "share of real training rows",
    ]


def test_the_summary_holds_the_correlation():
    points = [(e, math.exp(0.5 * e)) for e in (-3.0, 0.0, 1.0, 4.0)]
    found = summarise(rows(points), {"name": "x"})["entropy_and_score"]
    assert found == {"pearson": pytest.approx(1.0), "points": 4}
