# SPDX-License-Identifier: Apache-2.0
"""Rule threshold-decay against the published passes, candidate by candidate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from tailweave.clients.selection.threshold_decay import threshold_decay
from tailweave.protocols.streams import stream


def slow_passes(x: np.ndarray, count: int, order: np.ndarray) -> list[int]:
    picks, tau = [int(order[0])], 60.0
    while len(picks) < count and tau >= 1e-3:
        added = False
        for i in order:
            if len(picks) == count:
                break
            if i not in picks and all(np.linalg.norm(x[i] - x[j]) > tau for j in picks):
                picks.append(int(i))
                added = True
        if not added:
            tau *= 0.95
    return picks + [int(i) for i in order if i not in picks][: count - len(picks)]


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 12), st.data())
@settings(max_examples=30, deadline=None)
def test_picks_are_those_of_the_slow_passes(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    x = stream(seed, "x").normal(size=(size, dimension)) * data.draw(st.sampled_from([1.0, 40.0, 1000.0]))
    expected = slow_passes(x, count, stream(seed, "s").permutation(size))
    assert threshold_decay(x, count, rng=stream(seed, "s")).tolist() == expected


def test_picks_lie_apart():
    x = stream(0, "x").normal(size=(300, 2))
    picked = threshold_decay(x, 30, rng=stream(0, "s"))
    drawn = np.array([pdist(x[stream(i, "r").choice(300, 30, replace=False)]).min() for i in range(50)])
    assert pdist(x[picked]).min() > 2 * drawn.max()


def test_equal_candidates_fill_what_is_missing_in_the_order_of_the_passes():
    x = np.repeat([[0.0], [7.0]], 5, axis=0)
    order = stream(0, "s").permutation(10)
    picks = threshold_decay(x, 6, rng=stream(0, "s")).tolist()
    other = next(i for i in order if (i < 5) != (order[0] < 5))
    assert picks[:2] == [order[0], other]
    assert picks[2:] == [i for i in order if i not in picks[:2]][:4]


def test_one_and_all_of_all():
    x = stream(0, "x").normal(size=(9, 2))
    assert threshold_decay(x[:1], 1, rng=stream(0, "s")).tolist() == [0]
    assert sorted(threshold_decay(x, 9, rng=stream(0, "s"))) == list(range(9))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 4"):
        threshold_decay(np.zeros((3, 1)), 4, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must be finite, got nan"):
        threshold_decay(np.array([[np.nan], [1.0]]), 1, rng=stream(0, "s"))
