# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, norm

from tailweave.protocols.references import empirical
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.pairs import EuclideanPairs


def test_potential_known_answer():
    reference = Empirical.of(np.array([[0.0, 0.0], [6.0, 8.0]]), np.array([3.0, 1.0]))
    assert reference.masses.tolist() == [0.75, 0.25]
    found = reference.potential(np.array([[0.0, 0.0], [6.0, 8.0], [3.0, 4.0]]))
    np.testing.assert_allclose(found, [2.5, 7.5, 5.0], atol=1e-7)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 6), st.floats(-1e6, 1e6), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_potential_agrees_with_cdist_wherever_the_cloud_lies(n, m, d, shift, seed):
    rng = np.random.default_rng(seed)
    points, x, masses = rng.standard_normal((m, d)), rng.standard_normal((n, d)), rng.random(m) + 0.01
    found = Empirical.of(points + shift, masses).potential(x + shift)
    # the shift itself rounds at |shift| eps; a near-coincidence turns a squared error of 1e-14 into 1e-7
    tolerance = 2e-7 + 1e-15 * abs(shift) * 10
    np.testing.assert_allclose(found, cdist(x, points) @ (masses / masses.sum()), atol=tolerance)


def test_potential_of_a_normal_is_its_closed_form():
    levels = (np.arange(20_000) + 0.5) / 20_000
    reference = Empirical.of(norm.ppf(levels)[:, None])
    x = np.linspace(-3, 3, 7)
    closed = x * (2 * norm.cdf(x) - 1) + 2 * norm.pdf(x)  # E|x - Z|
    # midpoint quantiles: an error of at most one level's mass times the extent of the last cells
    np.testing.assert_allclose(reference.potential(x[:, None]), closed, atol=1e-4)


def test_potentials_give_the_energy_distance():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 60))
    x, y = Empirical.of(a[:, None]), Empirical.of(b[:, None] + 0.3)
    energy = 2 * y.potential(x.points).mean() - x.potential(x.points).mean() - y.potential(y.points).mean()
    # SciPy gives the root of the same three terms
    assert energy == pytest.approx(energy_distance(a, b + 0.3) ** 2, abs=1e-6)


def test_blocks_give_what_one_piece_gives(monkeypatch):
    rng = np.random.default_rng(1)
    reference, x = Empirical.of(rng.standard_normal((7, 3))), rng.standard_normal((50, 3))
    whole = reference.potential(x)
    for block in (1, 7 * 13, 7 * 50):
        monkeypatch.setattr(empirical, "_BLOCK", block)
        np.testing.assert_allclose(reference.potential(x), whole, rtol=1e-14)


def test_a_single_point_is_at_no_distance_from_itself():
    assert Empirical.of(np.array([[1e6, -3.0]])).potential(np.array([[1e6, -3.0]])).tolist() == [0.0]


def test_uniform_masses_when_none_are_given():
    assert Empirical.of(np.zeros((4, 1))).masses.tolist() == [0.25] * 4


def test_potential_leaves_its_inputs_alone():
    points, x = np.ones((3, 2)), np.full((2, 2), 5.0)
    Empirical.of(points).potential(x)
    assert (points == 1.0).all()
    assert (x == 5.0).all()


def test_pairs_match_the_potential_of_the_candidates_themselves():
    x = np.random.default_rng(2).standard_normal((40, 3))
    reference = Empirical.of(x)
    pairs = reference.pairs(x)
    assert isinstance(pairs, EuclideanPairs)
    mean = np.mean([pairs.column(i) for i in range(40)], axis=0)
    np.testing.assert_allclose(mean, reference.potential(x), atol=1e-4)  # float32 squares near 10


@pytest.mark.parametrize(
    ("points", "masses", "message"),
    [
        (np.zeros((0, 2)), None, "reference points must be a non-empty matrix"),
        (np.array([[np.nan]]), None, "reference points must be finite"),
        (np.zeros((2, 1)), np.ones(3), r"reference masses must have shape \(2,\), got \(3,\)"),
        (np.zeros((2, 1)), np.array([1.0, -1.0]), "reference masses must be finite, non-negative"),
        (np.zeros((2, 1)), np.zeros(2), "reference masses must be .* not all zero"),
    ],
)
def test_of_refuses(points, masses, message):
    with pytest.raises(ValueError, match=message):
        Empirical.of(points, masses)


@pytest.mark.parametrize("method", ["potential", "pairs"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 3)), "candidates must have 2 columns, got 3"),
        (np.array([[0, np.inf]]), "candidates must be finite"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(method, x, message):
    with pytest.raises(ValueError, match=message):
        getattr(Empirical.of(np.zeros((1, 2))), method)(x)
