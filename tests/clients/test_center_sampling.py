# SPDX-License-Identifier: Apache-2.0
"""Rule center-sampling: scikit-learn's cosines, and the frequencies of a draw without replacement."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from tailweave.clients.selection.center_sampling import center_sampling, cosine_weights
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_weights_are_floored_cosines(seed, dimension):
    rng = stream(seed, "case")
    reference = Empirical.of(rng.normal(size=(6, dimension)) + 0.2, rng.uniform(0.1, 1.0, 6))
    x = rng.normal(size=(15, dimension))
    center = np.average(reference.points, axis=0, weights=reference.masses)
    expected = np.maximum(cosine_similarity(x, [center])[:, 0], 1e-8)
    np.testing.assert_allclose(cosine_weights(reference, x), expected, atol=1e-12)


def test_frequencies_are_those_of_drawing_one_after_another():
    reference = Empirical.of([[1.0, 0.0]])
    x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0], [-1.0, 0.0]])
    p = np.maximum(x[:, 0] / np.linalg.norm(x, axis=1), 1e-8)
    p /= p.sum()
    expected = np.zeros(4)
    for first, second in itertools.permutations(range(4), 2):
        expected[[first, second]] += p[first] * p[second] / (1 - p[first])
    rng = stream(0, "draws")
    draws = 6000
    found = np.zeros(4)
    for _ in range(draws):
        found[center_sampling(reference, x, 2, rng=rng)] += 1
    # Five standard errors of a share: false alarms below 1e-6 a candidate.
    assert (np.abs(found / draws - expected) <= 5 * np.sqrt(expected * (1 - expected) / draws) + 1e-4).all()


def test_candidates_that_point_away_come_last():
    reference = Empirical.of([[2.0, 0.0]])
    x = np.array([[-1.0, 0.0], [3.0, 0.0], [-2.0, 0.1], [0.5, 0.0]])
    for seed in range(20):
        assert center_sampling(reference, x, 2, rng=stream(seed, "s")).tolist() == [1, 3]


def test_a_candidate_at_the_origin_has_cosine_zero():
    assert cosine_weights(Empirical.of([[1.0]]), np.array([[0.0], [2.0]])).tolist() == [1e-8, 1.0]


def test_all_of_all_and_the_same_stream_gives_the_same_pick():
    reference, x = Empirical.of([[1.0, 1.0]]), stream(0, "x").normal(size=(9, 2))
    assert center_sampling(reference, x, 9, rng=stream(0, "s")).tolist() == list(range(9))
    one, two = (center_sampling(reference, x, 4, rng=stream(3, "s")).tolist() for _ in range(2))
    assert one == two


def test_a_mean_at_the_origin_has_no_direction():
    with pytest.raises(ValueError, match="whose mean is not the origin, got mean 0"):
        center_sampling(Empirical.of([[1.0], [-1.0]]), np.ones((3, 1)), 1, rng=stream(0, "s"))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 4"):
        center_sampling(Empirical.of([[1.0]]), np.ones((3, 1)), 4, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must have 1 columns, got 2"):
        center_sampling(Empirical.of([[1.0]]), np.ones((3, 2)), 1, rng=stream(0, "s"))


def test_a_mean_that_is_rounding_is_the_origin():
    points = np.random.default_rng(0).normal(size=(50, 3)) + 7.0
    centred = points - points.mean(axis=0)  # its mean is about 1e-15, by the order of the sum
    assert np.linalg.norm(centred.mean(axis=0)) > 0.0
    with pytest.raises(ValueError, match="whose mean is not the origin"):
        center_sampling(Empirical.of(centred), np.ones((3, 3)), 1, rng=stream(0, "s"))
