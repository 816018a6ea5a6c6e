# SPDX-License-Identifier: Apache-2.0
"""Plateau rewards: the closed form against the update, at the edges of where both basins last."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tailweave.clients.curation.plateau import compromise_wins, keeps, plateau_rewards, plateau_share
from tailweave.clients.curation.update import Curation


def simulated(rewards, weights, start, steps):
    curation, density = Curation(rewards, weights), np.array(start)
    for _ in range(steps):
        density = curation.step(density)
    return density


@given(st.floats(0.02, 0.98), st.floats(0.3, 12.0), st.floats(0.05, 0.9))
@settings(max_examples=15, deadline=None)
def test_the_closed_form_is_where_the_update_ends(q, gap, start):
    k = np.exp(-gap)
    edges = np.array([k / (1 + k), 1 / (1 + k)])
    assume(np.abs(q - edges).min() > 0.03)  # at an edge it is reached as 1 / t
    found = simulated(plateau_rewards(gap), [q, 1 - q], [start, 0.95 - start, 0.05], 4000)
    assert found[0] == pytest.approx(plateau_share(q, gap), abs=1e-9)
    assert found[2] < 1e-9
    assert 0 < plateau_share(q, gap) < 1 or not edges[0] < q < edges[1]


def test_known_shares():
    assert plateau_share(0.5, 0.01) == pytest.approx(0.5, abs=1e-12)
    assert plateau_share(0.3, 50.0) == pytest.approx(0.3, abs=1e-15)
    assert plateau_share(0.3, np.log(2)) == 0.0  # k = 1/2: outvoted below 1/3
    assert plateau_share(0.7, np.log(2)) == 1.0
    assert plateau_share(0.4, np.log(2)) == pytest.approx(0.2)  # (.4 * 1.5 - .5) / .5
    assert (plateau_share(0.0, 3.0), plateau_share(1.0, 3.0)) == (0.0, 1.0)


@pytest.mark.parametrize(("loss", "wins"), [(0.6, True), (0.75, False)])
def test_a_compromise_grows_or_vanishes(loss, wins):
    """The condition is exact: 2 exp(-loss) against 1 + exp(-4), which is at loss .675."""
    rewards = [[0.0, -4.0, -loss], [-4.0, 0.0, -loss]]
    assert compromise_wins(loss, 4.0) is wins
    for q in (0.3, 0.5):
        last = simulated(rewards, [q, 1 - q], [0.45, 0.45, 0.1], 3000)[2]
        assert (last > 0.5) if wins else (last < 1e-9)


def test_two_candidates_keep_no_rare_mode():
    assert not keeps(0.3, 2)
    assert not keeps(0.5, 2)
    assert not keeps(0.3, 3)
    assert keeps(0.3, 4)
    sharp = plateau_rewards(60.0)
    for candidates, kept in ((2, False), (3, False), (4, True)):
        curation, density = Curation(sharp, [0.3, 0.7], candidates), np.array([1e-4, 1 - 2e-4, 1e-4])
        grown = curation.step(density)[0] / density[0]
        assert grown == pytest.approx(0.3 * candidates, rel=1e-3)
        assert (grown > 1) == kept


def test_two_candidates_and_equal_say_pull_nowhere():
    for a in (0.1, 0.4, 0.9):
        moved = Curation(plateau_rewards(60.0)[:, :2], [0.5, 0.5], 2).step(np.array([a, 1 - a]))
        assert moved[0] == pytest.approx(a, rel=1e-10)


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_share_outside_is_refused(q):
    for asked in (lambda: plateau_share(q, 1.0), lambda: keeps(q, 3)):
        with pytest.raises(ValueError, match=r"q must be in \[0, 1\], got"):
            asked()


@pytest.mark.parametrize("gap", [0.0, -1.0, float("inf"), float("nan")])
def test_a_gap_that_is_none_is_refused(gap):
    with pytest.raises(ValueError, match="gap must be positive and finite, got"):
        plateau_share(0.5, gap)
