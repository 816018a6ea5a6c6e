# SPDX-License-Identifier: Apache-2.0
"""Rule random: uniform, without replacement."""

import numpy as np
import pytest
from scipy.stats import chisquare

from tailweave.clients.selection.random import random
from tailweave.protocols.streams import stream


def test_picks_are_different_ascending_and_in_range():
    picks = random(50, 20, rng=stream(0, "select"))
    assert len(picks) == 20
    assert (np.diff(picks) > 0).all()
    assert picks.min() >= 0
    assert picks.max() < 50


def test_every_candidate_is_picked_equally_often():
    rng = stream(0, "select")
    counts = np.bincount(np.concatenate([random(10, 3, rng=rng) for _ in range(2000)]), minlength=10)
    # Picks within a draw are negatively correlated, so the statistic is below chi-square: alarm < 1e-6.
    assert chisquare(counts).pvalue > 1e-6


def test_all_of_all_is_everything():
    assert np.array_equal(random(7, 7, rng=stream(0, "select")), np.arange(7))


@pytest.mark.parametrize("count", [0, -1, 8])
def test_counts_out_of_range_are_refused(count):
    with pytest.raises(ValueError, match=rf"count must be in 1..7 \(the candidates\), got {count}"):
        random(7, count, rng=stream(0, "select"))
