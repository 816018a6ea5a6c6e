# SPDX-License-Identifier: Apache-2.0
"""Rule k-means: one candidate of each island, the one that a slow search finds in each cluster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from tailweave.clients.selection.k_means import k_means
from tailweave.protocols.streams import stream


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 20), st.data())
@settings(max_examples=40, deadline=None)
def test_picks_are_the_nearest_members_of_each_cluster(seed, dimension, size, data):
    count = data.draw(st.integers(1, size))
    x = stream(seed, "x").normal(size=(size, dimension))
    state = int(stream(seed, "s").integers(2**31))
    fitted = KMeans(count, n_init=1, random_state=state).fit(x)
    expected = []
    for cluster in range(count):
        members = [i for i in range(size) if fitted.labels_[i] == cluster]
        gaps = [np.linalg.norm(x[i] - fitted.cluster_centers_[cluster]) for i in members]
        near = [i for i, gap in zip(members, gaps, strict=True) if gap <= min(gaps) + 1e-12]
        expected.append(near)  # a cluster of two is a tie up to rounding
    found = k_means(x, count, rng=stream(seed, "s")).tolist()
    assert len(set(found)) == count
    assert all(pick in near for pick, near in zip(found, expected, strict=True))


def test_every_island_is_kept_whatever_its_size():
    x = np.concatenate([np.zeros((50, 2)), np.full((2, 2), 9.0), [[-9.0, 9.0]]])
    x += 1e-3 * stream(0, "x").normal(size=x.shape)
    picks = k_means(x, 3, rng=stream(0, "s"))
    assert {0 if i < 50 else 1 if i < 52 else 2 for i in picks.tolist()} == {0, 1, 2}


@pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
def test_empty_clusters_take_unused_candidates():
    x = np.repeat([[0.0, 0.0], [5.0, 5.0]], 4, axis=0)
    picks = k_means(x, 6, rng=stream(0, "s")).tolist()
    assert len(set(picks)) == 6
    assert {0, 4} == set(picks[:2])  # one of each place first, of equal ones the lowest index


def test_all_of_all_is_a_permutation_and_streams_repeat():
    x = stream(0, "x").normal(size=(9, 2))
    assert sorted(k_means(x, 9, rng=stream(0, "s"))) == list(range(9))
    one, two = (k_means(x, 4, rng=stream(1, "s")).tolist() for _ in range(2))
    assert one == two


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 0"):
        k_means(np.zeros((3, 1)), 0, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must be finite, got nan"):
        k_means(np.array([[np.nan], [1.0]]), 1, rng=stream(0, "s"))
