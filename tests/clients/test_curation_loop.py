# SPDX-License-Identifier: Apache-2.0
"""Curation with samples: frequencies of choices, and the modes that a refitted mixture keeps."""

from functools import partial

import numpy as np
import pytest

from tailweave.clients.curation.loop import Curators, curated, picks, recursion
from tailweave.clients.curation.preferences import quadratic
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.streams import stream

MIXTURE = GaussianMixtureSpec(kind="gaussian-mixture", components=2)
PLACES = partial(quadratic, centres=[[1.5], [-1.5]])


def test_choices_are_bradley_terrys():
    """Six standard errors a cell: false alarms below 1e-8."""
    rewards, weights, groups = np.array([[0.0, 1.0, -2.0], [2.0, 0.5, 0.0]]), np.array([0.3, 0.7]), 40_000
    odds = np.exp(rewards)
    expected = weights @ (odds / odds.sum(axis=1, keepdims=True))
    many = np.repeat(rewards[:, None, :], groups, axis=1)
    seen = np.bincount(picks(many, weights, rng=stream(0, "picks")), minlength=3) / groups
    np.testing.assert_allclose(seen, expected, atol=6 * 0.5 / np.sqrt(groups))


def test_each_group_keeps_one_of_its_own():
    model = Gaussian(np.zeros(1), np.eye(1))
    curators = Curators(partial(quadratic, centres=[[0.0]]), np.ones(1), 4)
    kept = curated(model, curators, 50, rng=stream(0, "curate"))
    drawn = model.sample(200, rng=stream(0, "curate")).values.reshape(50, 4)
    assert kept.values.shape == (50, 1)
    assert all(row[0] in group for row, group in zip(kept.values, drawn, strict=True))


def follow(weights, candidates, seed, generations=25):
    first = Samples.of(stream(seed, "first").uniform(-6, 6, (400, 1)))
    curators = Curators(PLACES, np.array(weights), candidates)
    found = recursion(MIXTURE, first, curators, generations, lambda at, purpose: stream(seed, at, purpose))
    return [float((rows.values > 0).mean()) for rows in found]


def test_the_rarer_mode_lasts_with_many_candidates_and_not_with_two_or_one_preference():
    """Over three seeds the mean at K = 20 has a standard error of .013 about .30: eight of them."""
    few, one = ([follow(w, k, s)[-1] for s in range(3)] for w, k in (([0.3, 0.7], 2), ([0.0, 1.0], 20)))
    assert few == [0.0] * 3
    assert one == [0.0] * 3
    many = np.mean([follow([0.3, 0.7], 20, seed)[-1] for seed in range(3)])
    assert many == pytest.approx(0.30, abs=0.11)


def test_generation_0_is_what_was_given_and_streams_decide_all_else():
    one, two = follow([0.3, 0.7], 5, 0, 3), follow([0.3, 0.7], 5, 0, 3)
    assert one == two
    assert len(one) == 4
    assert one[0] == float((stream(0, "first").uniform(-6, 6, (400, 1)) > 0).mean())


@pytest.mark.parametrize(
    ("shape", "weights", "said"),
    [
        ((2, 4, 1), [0.5, 0.5], "candidates must be 2 or more, for of one nothing is chosen, got 1"),
        ((2, 4, 3), [0.5, 0.4], "weights must sum to 1"),
        ((2, 4, 3), [1.0], r"weights must have shape \(2,\)"),
        ((0, 4, 3), [], r"rewards must be finite, of shape \(R, n, K\), none of them 0, got \(0, 4, 3\)"),
        ((4, 3), [1.0], r"rewards must be finite, of shape \(R, n, K\)"),
    ],
)
def test_bad_choices(shape, weights, said):
    with pytest.raises(ValueError, match=said):
        picks(np.zeros(shape), weights, rng=stream(0, "x"))


def test_fewer_rows_than_components_are_refused():
    first = Samples.of(np.zeros((1, 1)))
    course = recursion(
        MIXTURE, first, Curators(PLACES, np.array([0.3, 0.7]), 3), 1, lambda *at: stream(0, *at)
    )
    next(course)
    with pytest.raises(ValueError, match="components must be at most the 1 training rows"):
        next(course)
