# SPDX-License-Identifier: Apache-2.0
"""Rule farthest-point against the slow loop of the formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.farthest_point import farthest_point
from tailweave.protocols.kinds.rules.plain import FarthestPoint
from tailweave.protocols.streams import stream


def slow(x: np.ndarray, count: int, first: int) -> list[int]:
    picks = [first]
    while len(picks) < count:
        left = [i for i in range(len(x)) if i not in picks]
        picks.append(max(left, key=lambda i: (min(((x[i] - x[j]) ** 2).sum() for j in picks), -i)))
    return picks


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 14), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_those_of_the_formula(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    x = stream(seed, "x").integers(-3, 4, size=(size, dimension)).astype(float)  # whole numbers: many ties
    first = int(stream(seed, "s").integers(size))
    assert farthest_point(x, count, rng=stream(seed, "s")).tolist() == slow(x, count, first)


def test_a_line_is_halved():
    x = np.arange(9.0)[:, None]
    seed = next(s for s in range(100) if stream(s, "s").integers(9) == 0)
    assert farthest_point(x, 5, rng=stream(seed, "s")).tolist() == [0, 8, 4, 2, 6]


def test_picks_lie_twice_as_far_apart_as_any_random_pick():
    x = stream(0, "x").normal(size=(300, 2))
    picked = farthest_point(x, 30, rng=stream(0, "s"))
    drawn = np.array([pdist(x[stream(i, "r").choice(300, 30, replace=False)]).min() for i in range(50)])
    assert pdist(x[picked]).min() > 2 * drawn.max()


def test_equal_candidates_come_last_and_none_comes_twice():
    x = np.repeat([[0.0], [7.0]], 4, axis=0)
    picks = farthest_point(x, 8, rng=stream(0, "s")).tolist()
    assert sorted(picks) == list(range(8))
    assert (picks[0] < 4) != (picks[1] < 4)


def test_the_rule_is_known_by_its_name():
    x = stream(0, "x").normal(size=(20, 2))
    found = select(FarthestPoint(kind="farthest-point"), Candidates.of(x, 6), None, rng=stream(0, "s"))
    assert found.tolist() == farthest_point(x, 6, rng=stream(0, "s")).tolist()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 4"):
        farthest_point(np.zeros((3, 1)), 4, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must be finite, got nan"):
        farthest_point(np.array([[np.nan], [1.0]]), 1, rng=stream(0, "s"))
