# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.data.apportion import apportion


def test_known_shares():
    assert apportion(10, np.array([5.0, 3.0, 1.0])).tolist() == [6, 3, 1]
    assert apportion(7, np.ones(3)).tolist() == [3, 2, 2]
    assert apportion(0, np.ones(2)).tolist() == [0, 0]
    assert apportion(100, np.array([0.29, 0.71])).tolist() == [29, 71]  # 100 x 0.29 is below 29 in floats


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.lists(st.floats(0.0, 1e6), min_size=1, max_size=12).filter(any))
def test_total_is_exact_and_each_count_is_within_one_of_its_share(total, weights):
    weights = np.array(weights)
    counts = apportion(total, weights)
    assert counts.sum() == total
    assert (counts >= 0).all()
    # 1e-9 is float error of a share of at most 10^4.
    assert (np.abs(counts - total * weights / weights.sum()) < 1.0 + 1e-9).all()


def test_bad_input():
    with pytest.raises(ValueError, match="total must be at least 0, got -1"):
        apportion(-1, np.ones(2))
    with pytest.raises(ValueError, match="weights must be .* not all zero"):
        apportion(3, np.zeros(2))
