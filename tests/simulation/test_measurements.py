# SPDX-License-Identifier: Apache-2.0
"""Means over seeds and their intervals against SciPy, and the index of metric rows."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tailweave.simulation.measurements import estimate, measurements, natural, per_seed

FINITE = st.floats(-1e6, 1e6)


def row(arm="a", seed=0, silo="silo-0", generation=0, **metrics):
    return {"arm": arm, "seed": seed, "silo": silo, "generation": generation, **metrics}


def test_known_interval_of_three_seeds():
    found = estimate([1.0, 2.0, 3.0])
    t = 0.95 / np.sqrt(2 * 0.975 * 0.025)  # closed form of the 97.5 % quantile with 2 degrees of freedom
    half = t / np.sqrt(3)  # s = 1
    assert found.mean == 2.0
    assert found.interval == pytest.approx((2 - half, 2 + half), rel=1e-12)
    assert found.as_json() == {"mean": 2.0, "interval": list(found.interval), "seeds": 3}


@settings(max_examples=50, deadline=None)
@given(st.lists(FINITE, min_size=2, max_size=8).filter(lambda v: np.std(v) > 1e-3))
def test_interval_agrees_with_scipy(values):
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    # both sum at most 8 numbers of size 1e6 in float64; scipy's mean differs by a few ulps of 1e6
    assert estimate(values).interval == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=6), st.randoms())
def test_the_order_of_seeds_changes_no_bit(values, chance):
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert estimate(values) == estimate(shuffled)


def test_a_plain_sum_would_depend_on_the_order():
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert estimate([0.1, 0.2, 0.3]) == estimate([0.3, 0.2, 0.1])
    by_silo = {(0, "a"): 0.1, (0, "b"): 0.2, (0, "c"): 0.3}
    assert per_seed(by_silo) == per_seed(dict(reversed(by_silo.items())))


def test_one_seed_has_no_interval_and_equal_seeds_have_none_in_width():
    assert estimate([0.3]).interval is None
    assert estimate([0.5, 0.5]).interval == (0.5, 0.5)
    with pytest.raises(ValueError, match="at least one seed, got none"):
        estimate([])


def test_silos_are_averaged_before_seeds():
    table = measurements(
        [row(seed=0, silo="s0", x=0.0), row(seed=0, silo="s1", x=1.0), row(seed=1, silo="s0", x=2.0)]
    )
    assert per_seed(table.values("a", 0, "x")) == {0: 0.5, 1: 2.0}
    assert table.curve("a", "x")[0].mean == 1.25  # (0.5 + 2) / 2, not (0 + 1 + 2) / 3


def test_last_is_where_every_arm_and_seed_has_been():
    rows = [row(arm=a, seed=s, generation=g, x=1.0) for a in "ab" for s in (0, 1) for g in range(4)]
    assert measurements(rows).last == 3
    shorter = [r for r in rows if not (r["arm"] == "b" and r["seed"] == 1 and r["generation"] > 1)]
    assert measurements(shorter).last == 1
    one_silo_short = [*shorter, *(row(arm="b", seed=1, silo="s9", generation=g, x=1.0) for g in range(4))]
    assert measurements(one_silo_short).last == 3


def test_rows_may_lack_metrics_and_repeat():
    table = measurements([row(x=1.0, y=None), row(x=1.0, y=None), row(silo="s1", y=2.0)])
    assert table.values("a", 0, "x") == {(0, "silo-0"): 1.0}
    assert table.values("a", 0, "y") == {(0, "s1"): 2.0}
    assert table.metrics == ("x", "y")
    assert table.values("nobody", 0, "x") == {}


def test_arms_keep_the_order_asked_for():
    rows = [row(arm=arm, x=1.0) for arm in "cab"]
    assert measurements(rows, ["b", "missing"]).arms == ("b", "a", "c")


def test_names_sort_as_people_count():
    names = [f"silo-{i}" for i in range(12)] + ["10", "9", "", "b2b", "b10a"]
    shuffled = random.Random(3).sample(names, len(names))
    assert sorted(shuffled, key=natural) == ["", "9", "10", "b2b", "b10a", *names[:12]]


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([], "at least one measurement, got none"),
        ([{"arm": "a", "seed": 0}], "metric row 1 lacks silo, generation"),
        ([row(x=float("nan"))], "metric row 1: x must be a finite number, got nan"),
        ([row(x="high")], "x must be a finite number, got 'high'"),
        ([row(x=True)], "x must be a finite number, got True"),
        ([row(x=1.0), row(x=2.0)], r"metric row 2 contradicts an earlier row of \['a', 0, 'silo-0', 0\]"),
    ],
)
def test_bad_rows_are_refused(rows, match):
    with pytest.raises(ValueError, match=match):
        measurements(rows)
