# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.simulation.measurements import measurements
from tailweave.simulation.paper.crossing import Crossing, same_picks, sentences, shares
from tailweave.simulation.paper.orders import Arms
from tailweave.simulation.report.wording import number


def crossing(values, metric="coverage"):
    """Arms from (rule, reference) to one value a seed."""
    config = {"arms": [{"name": f"{r}-{k}", "rule": r, "reference": k} for r, k in values]}
    rows = [
        {"arm": f"{r}-{k}", "seed": seed, "silo": "silo-0", "generation": 1, metric: v}
        for (r, k), series in values.items()
        for seed, v in enumerate(series)
    ]
    return Crossing.of(Arms.of(measurements(rows, [a["name"] for a in config["arms"]]), config))


GRID = {
    ("herding", "oracle"): [0.8, 0.9],
    ("herding", "local"): [0.2, 0.3],
    ("herding", "sliced"): [0.8, 0.8],
    ("nash", "oracle"): [0.6, 0.7],
    ("nash", "local"): [0.2, 0.1],
    ("random", None): [0.7, 0.7],
}


def test_rules_and_references_are_found_and_ordered():
    found = crossing(GRID)
    assert found.rules == ("herding", "nash")
    assert found.references == ("local", "sliced", "oracle")
    assert found.shared == ("local", "oracle")
    np.testing.assert_array_equal(found.cube("coverage")[0], [[0.2, 0.8], [0.2, 0.6]])
    assert found.cube("recall") is None


def test_shares_of_a_known_table():
    # means: rows 0.5, 0.4; columns 0.2, 0.7; all 0.45. Total sum of squares .27, columns .25, rows .01
    parts = shares(np.array([[[0.2, 0.8], [0.2, 0.6]]]))
    assert parts.reference.mean == pytest.approx(0.25 / 0.27)
    assert parts.rule.mean == pytest.approx(0.01 / 0.27)
    assert parts.interplay.mean == pytest.approx(0.01 / 0.27)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(2, 5), st.floats(-3, 3), st.floats(0.1, 9))
def test_shares_add_up_and_do_not_depend_on_the_unit(seed, rules, references, shift, scale):
    cube = np.random.default_rng(seed).normal(size=(3, rules, references))
    one, other = shares(cube), shares(shift + scale * cube)
    parts = [one.reference.mean, one.rule.mean, one.interplay.mean]
    assert sum(parts) == pytest.approx(1)
    assert min(parts) >= -1e-12
    assert parts == pytest.approx([other.reference.mean, other.rule.mean, other.interplay.mean])
    swapped = shares(cube.transpose(0, 2, 1))
    assert (swapped.reference.mean, swapped.rule.mean) == pytest.approx((one.rule.mean, one.reference.mean))


def test_an_additive_table_has_no_interplay():
    cube = np.add.outer([0.0, 1.0, 5.0], [0.0, 2.0])[None]
    assert shares(cube).interplay.mean == pytest.approx(0, abs=1e-12)
    assert shares(np.ones((2, 2, 2))) is None


def test_sentences_are_computed():
    first, last = sentences(crossing(GRID))
    assert "the 4 combinations of herding and nash with own rows and the truth" in first
    parts = shares(crossing(GRID).cube("coverage"))
    assert f"{number(100 * parts.reference.mean, 0)} ± " in first
    assert "by reference: from 0.200 (own rows) to 0.750 (the truth)" in first
    assert "by rule: from 0.400 (nash) to 0.550 (herding)" in first
    assert "(0.700), by reference: own rows: none; sliced: herding; the truth: herding." in last


def test_too_few_combinations_say_nothing():
    assert sentences(crossing({("herding", "oracle"): [0.8], ("herding", "local"): [0.2]})) == []


def test_rules_that_pick_the_same_are_named():
    assert same_picks(("herding",), ("local",)) == ""
    assert same_picks(("nash", "top-potential"), ("geodesic", "sliced")) == ""
    assert "On own rows there is one utility" in same_picks(("nash", "top-potential"), ("local", "geodesic"))
