# SPDX-License-Identifier: Apache-2.0
"""The exact update: against its formula, and for K candidates against every tuple of candidates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.curation.preferences import quadratic
from tailweave.clients.curation.update import Curation
from tailweave.protocols.streams import stream


def case(seed, points=6, preferences=2):
    rng = stream(seed, "case")
    weights = rng.uniform(0.1, 1.0, preferences)
    return (
        rng.normal(scale=2.0, size=(preferences, points)),
        weights / weights.sum(),
        rng.dirichlet(np.ones(points)),
    )


def by_tuples(density, rewards, weights, candidates):
    """Every tuple of candidates with its probability, and who of it is kept with which."""
    kept = np.zeros(len(density))
    for drawn in itertools.product(range(len(density)), repeat=candidates):
        chance = density[list(drawn)].prod()
        for weight, reward in zip(weights, rewards, strict=True):
            odds = np.exp(reward[list(drawn)])
            np.add.at(kept, list(drawn), weight * chance * odds / odds.sum())
    return kept


@pytest.mark.parametrize("candidates", [2, 3, 4])
def test_of_k_candidates_it_is_what_every_tuple_adds_up_to(candidates):
    rewards, weights, density = case(candidates, points=5)
    found = Curation(rewards, weights, candidates).step(density)
    np.testing.assert_allclose(found, by_tuples(density, rewards, weights, candidates), rtol=1e-11)


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_of_many_it_is_the_formula_and_never_lowers_the_nash_product(seed, preferences):
    rewards, weights, density = case(seed, preferences=preferences)
    curation = Curation(rewards, weights)
    raised = curation.step(density)
    odds = np.exp(rewards)
    slow = [
        p * sum(w * o[i] / (o @ density) for w, o in zip(weights, odds, strict=True))
        for i, p in enumerate(density)
    ]
    np.testing.assert_allclose(raised, slow, rtol=1e-12)
    assert raised.sum() == pytest.approx(1.0, abs=1e-14)
    before, after = (weights @ np.log(odds @ p) for p in (density, raised))
    assert after >= before - 1e-12


def test_only_differences_of_rewards_count():
    rewards, weights, density = case(1)
    for candidates in (None, 3):
        one, two = (
            Curation(r, weights, candidates).step(density) for r in (rewards, rewards + [[800.0], [-3.0]])
        )
        np.testing.assert_allclose(one, two, rtol=1e-10)


def test_more_and_more_candidates_come_to_the_limit_of_many():
    rewards, weights, density = case(2)
    limit = Curation(rewards, weights).step(density)
    gaps = [np.abs(Curation(rewards, weights, k).step(density) - limit).max() for k in (10, 100, 1000)]
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2] > 0


LINE = np.linspace(-6.0, 6.0, 601)


@pytest.mark.parametrize(("separation", "error"), [(2, 8.9e-3), (3, 5.0e-5), (4, 4.5e-8), (5, 5.6e-12)])
def test_two_places_share_as_they_are_asked_the_better_the_farther_they_are(separation, error):
    curation = Curation(quadratic(LINE[:, None], [[separation / 2], [-separation / 2]]), [0.3, 0.7])
    density = np.full(601, 1 / 601)
    for _ in range(5000):
        density = curation.step(density)
    assert abs(density[LINE > 0].sum() - 0.3) == pytest.approx(error, rel=0.015)  # two printed digits


@pytest.mark.parametrize(
    ("weights", "candidates", "share"),
    [([0.3, 0.7], 2, 0.0), ([0.3, 0.7], 5, 0.2031), ([0.3, 0.7], 20, 0.2997), ([0.0, 1.0], 20, 0.0)],
)
def test_few_candidates_or_one_preference_lose_a_mode(weights, candidates, share):
    line = LINE[::3]
    curation = Curation(quadratic(line[:, None], [[1.5], [-1.5]]), weights, candidates)
    density = np.full(len(line), 1 / len(line))
    for _ in range(80):
        density = curation.step(density)
    assert density[line > 0].sum() == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize(
    ("rewards", "weights", "candidates", "said"),
    [
        ([[0.0, 1.0]], [0.9], None, r"weights must sum to 1, got \[0.9\], which sum to 0.9"),
        ([[0.0, 1.0]], [1.5], None, r"weights must be in \[0, 1\], got \[1.5\]"),
        ([[0.0, 1.0]], [float("nan")], None, r"weights must be in \[0, 1\], got \[nan\]"),
        ([[0.0, 1.0]], [0.5, 0.5], None, r"weights must have shape \(1,\), one a reward, got \(2,\)"),
        ([[0.0, 1.0]], [], None, "there must be one or more rewards, got none"),
        (np.empty((0, 2)), [], None, "rewards must be a non-empty matrix"),
        ([[0.0, np.inf]], [1.0], None, "rewards must be finite"),
        ([[0.0, 1.0]], [1.0], 1, "candidates must be 2 or more, for of one nothing is chosen, got 1"),
    ],
)
def test_bad_preferences(rewards, weights, candidates, said):
    with pytest.raises(ValueError, match=said):
        Curation(rewards, weights, candidates)


def test_a_density_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"density must have shape \(2,\), got \(3,\)"):
        Curation([[0.0, 1.0]], [1.0]).step(np.ones(3) / 3)
    with pytest.raises(ValueError, match="density must be finite, non-negative and not all zero"):
        Curation([[0.0, 1.0]], [1.0]).step(np.array([-1.0, 2.0]))


def test_quadratic_rewards():
    found = quadratic([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    assert found.tolist() == [[0.0, -25.0], [-9.0, -16.0], [-16.0, -9.0]]
    with pytest.raises(ValueError, match="points must have 1 columns, got 2"):
        quadratic([[0.0, 0.0]], [[0.0]])
