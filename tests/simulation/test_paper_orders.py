# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tailweave.simulation.measurements import measurements
from tailweave.simulation.paper.orders import Arms, Order, order_findings

RANDOM, CUT, SCHEME = ("random", None), ("top-potential", "local"), ("nash", "geodesic")
CONFIG = {
    "arms": [
        {"name": "a", "rule": "random", "reference": None},
        {"name": "b", "rule": "top-potential", "reference": "local"},
        {"name": "c", "rule": "nash", "reference": {"kind": "geodesic", "support": 9}},
        {"name": "d", "rule": "top-potential", "reference": {"kind": "local"}},
        {"name": "e", "rule": "herding", "reference": "oracle"},
    ]
}


def arms(metric="coverage", **values):
    """Arms by name, one value a seed at the last generation; at generation 0 all have 1."""
    rows = [
        {"arm": arm, "seed": seed, "silo": "silo-0", "generation": g, metric: v if g else 1.0}
        for arm, series in values.items()
        for seed, v in enumerate(series)
        for g in (0, 3)
    ]
    return Arms.of(measurements(rows, [arm["name"] for arm in CONFIG["arms"]]), CONFIG)


def one(run, *, way="below", right=(RANDOM,), factor=1.0, metric="coverage"):
    (found,) = order_findings([Order("s", "q", "p", metric, CUT, way, right, factor)], run)
    return found


def test_arms_are_found_by_what_they_do():
    run = arms(a=[0.5], b=[0.2], c=[0.3], d=[0.9])
    assert run.names == {RANDOM: "a", CUT: "b", SCHEME: "c"}  # d does what b does, e was not run
    assert run.values(CUT, "coverage") == {0: 0.2}
    assert run.values(CUT, "coverage", 0) == {0: 1.0}
    assert run.values(("herding", "oracle"), "coverage") == {}
    assert run.end(CUT, "recall") is None


@pytest.mark.parametrize(
    ("left", "way", "verdict"),
    [
        ([0.2, 0.21, 0.22], "below", "agrees"),
        ([0.2, 0.21, 0.22], "above", "differs"),
        ([0.2, 0.9, 0.5], "below", "open"),
        ([0.2, 0.9, 0.5], "above", "open"),
    ],
)
def test_verdicts(left, way, verdict):
    assert one(arms(a=[0.5, 0.52, 0.51], b=left), way=way).verdict == verdict


def test_the_margin_is_students_paired_by_seed():
    left, right = np.array([0.30, 0.42, 0.25]), np.array([0.50, 0.66, 0.45])
    found = one(arms(a=right, b=left))
    expected = stats.ttest_rel(right, left).confidence_interval(0.95)
    assert found.margin.interval == pytest.approx((expected.low, expected.high))
    assert found.verdict == "agrees"
    assert stats.ttest_ind(right, left).pvalue > 0.05  # unpaired they could not be told apart
    assert found.ratio == pytest.approx(left.mean() / right.mean())
    assert found.why.startswith("ends below by 0.213 ± ")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=2, max_size=5))
def test_above_and_below_exclude_each_other(pairs):
    run = arms(a=[right for _, right in pairs], b=[left for left, _ in pairs])
    mirror = {"agrees": "differs", "differs": "agrees", "open": "open"}
    assert one(run, way="above").verdict == mirror[one(run, way="below").verdict]


@pytest.mark.parametrize(("b", "verdict"), [(0.99, "differs"), (1.01, "agrees")])
def test_a_factor_scales_the_right_side(b, verdict):
    found = one(arms(a=[0.5, 0.5], b=[b, b]), way="above", factor=2.0)
    assert found.verdict == verdict
    assert "2 × that by 0.010" in found.why


@pytest.mark.parametrize(("metric", "rival"), [("coverage", SCHEME), ("frechet", RANDOM)])
def test_the_rival_is_the_best_in_the_sense_of_the_metric(metric, rival):
    run = arms(metric, a=[0.2, 0.2], b=[0.1, 0.1], c=[0.3, 0.3])
    assert one(run, right=(RANDOM, SCHEME), metric=metric).rival == rival


def test_one_seed_decides_by_sign_and_says_so():
    found = one(arms(a=[0.5], b=[0.4]))
    assert (found.verdict, found.why) == ("agrees", "ends below by 0.100; one seed gives no interval")


def test_what_was_not_run_is_left_out():
    order = Order("s", "q", "p", "coverage", SCHEME, "below", (RANDOM,))
    assert order_findings([order], arms(a=[0.5], b=[0.4])) == []
    assert order_findings([order], arms(c=[0.5], b=[0.4])) == []
    assert order_findings([order], arms("recall", a=[0.5], c=[0.4])) == []


def test_a_right_side_of_zero_has_no_ratio():
    assert one(arms(a=[0.0], b=[0.4])).ratio is None


def test_as_json():
    told = one(arms(a=[0.5, 0.5], b=[0.4, 0.4])).as_json()
    assert told["verdict"] == "agrees"
    assert told["ours"]["mean"] == pytest.approx(0.4)
    assert told["against"]["mean"] == pytest.approx(0.5)
    assert told["margin"]["mean"] == pytest.approx(0.1)
