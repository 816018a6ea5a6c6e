# SPDX-License-Identifier: Apache-2.0
"""Rule center-matching against scipy's distances, and what it does to anything away from the mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tailweave.clients.selection.center_matching import center_matching
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 20), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_the_nearest_to_the_weighted_mean(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    rng = stream(seed, "case")
    reference = Empirical.of(rng.normal(size=(6, dimension)), rng.uniform(0.1, 1.0, 6))
    candidates = rng.normal(size=(size, dimension))
    center = np.average(reference.points, axis=0, weights=reference.masses)
    expected = np.argsort(cdist(candidates, [center])[:, 0])[:count]
    assert center_matching(reference, candidates, count).tolist() == sorted(expected)


def test_between_two_modes_the_middle_is_kept():
    reference = Empirical.of([[-1.0], [1.0]])
    candidates = np.array([[-1.0], [0.2], [1.0], [-0.1], [5.0]])
    assert center_matching(reference, candidates, 2).tolist() == [1, 3]


@given(st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_order_of_the_candidates_does_not_matter(order):
    candidates = stream(1, "x").normal(size=(12, 3))
    reference = Empirical.of(stream(2, "x").normal(size=(5, 3)))
    kept = center_matching(reference, candidates, 5)
    moved = center_matching(reference, candidates[order], 5)
    assert sorted(np.array(order)[moved]) == kept.tolist()


def test_ties_go_to_the_lower_index():
    assert center_matching(Empirical.of([[0.0]]), np.ones((4, 1)), 2).tolist() == [0, 1]


@pytest.mark.parametrize("count", [0, 4])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=rf"count must be in 1..3 \(the candidates\), got {count}"):
        center_matching(Empirical.of([[0.0]]), np.zeros((3, 1)), count)


def test_candidates_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="candidates must have 1 columns, got 2"):
        center_matching(Empirical.of([[0.0]]), np.zeros((3, 2)), 1)
