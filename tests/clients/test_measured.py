# SPDX-License-Identifier: Apache-2.0
"""Metrics that are not the same in every generation: there and back, in any span."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailweave.clients.measured import Measured

NAMES = ("frechet", "coverage", "vendi", "mode_share/b", "mode_share/a", "unseen_share")
ROWS = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.floats(-1e9, 1e9), min_size=1), min_size=1, max_size=5
)


@given(ROWS)
def test_what_is_stored_comes_back(rows):
    measured = Measured(tuple(rows))
    assert Measured.from_arrays(measured.arrays(), len(rows)) == measured


@given(ROWS, st.data())
def test_a_span_holds_its_own_entries_in_order(rows, data):
    measured = Measured(tuple(rows))
    start = data.draw(st.integers(0, len(rows) - 1))
    stop = data.draw(st.integers(start, len(rows) - 1))
    names = measured.names(start, stop)
    entries = measured.entries(start, stop, names)
    found = {}
    for generation, place, value in zip(*entries.values(), strict=True):
        found.setdefault(int(generation), {})[names[int(place)]] = value
    assert found == {g: dict(rows[g]) for g in range(start, stop + 1)}
    keys = list(zip(entries["generations"], entries["metrics"], strict=True))
    assert keys == sorted(set(keys))


def test_names_are_in_the_order_of_reports_and_classes_as_they_came():
    row = {"vendi": 1.0, "mode_share/z": 0.5, "coverage": 1.0, "mode_share/a": 0.5, "frechet": 0.0}
    expected = ("frechet", "coverage", "vendi", "mode_share/z", "mode_share/a")
    assert Measured((row,)).names(0, 0) == expected
    assert Measured((row,)).names(0, 0, ("mode_share", "vendi")) == expected[2:]


def test_a_missing_part_is_an_error():
    arrays = Measured(({"vendi": 1.0},)).arrays()
    del arrays["values"]
    with pytest.raises(KeyError, match="values"):
        Measured.from_arrays(arrays, 1)
    assert np.array_equal(arrays["metrics"], [0.0])
