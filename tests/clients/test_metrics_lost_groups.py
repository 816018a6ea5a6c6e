# SPDX-License-Identifier: Apache-2.0
"""Lost groups: the exact test beside SciPy's and slow loops, and how often it cries wolf."""

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact

from tailweave.clients.metrics.lost_groups import _holm, _testable, lost_groups
from tailweave.protocols.streams import stream


def judged(real, synthetic, rows, alpha=0.05):
    names = [f"g{i}" for i in range(len(real))]
    return lost_groups(names, np.array(real), np.array(synthetic), rows, alpha)


def test_one_group_has_fishers_p_value():
    found = judged([30], [9], (400, 500))[0]
    table = [[9, 491], [30, 370]]
    assert found.p_value == pytest.approx(fisher_exact(table, alternative="less").pvalue, rel=1e-9)
    assert (found.verdict, found.kept) == ("lost", pytest.approx((9 / 500) / (30 / 400)))


def test_each_verdict():
    found = judged([50, 500, 449, 1], [0, 350, 650, 0], (1000, 1000))
    assert [group.verdict for group in found] == ["lost", "thinner", "kept", "too few rows"]
    assert found[3].p_value == 1.0


def test_a_share_of_half_is_not_lost_however_many_rows_say_so():
    assert judged([20_000], [10_000], (100_000, 100_000))[0].verdict == "thinner"
    assert judged([20_000], [9_999], (100_000, 100_000))[0].verdict == "lost"


def test_the_interval_of_what_is_gone_has_a_closed_form():
    low, high = judged([40], [0], (1000, 1000))[0].interval
    most = 1 - 0.025 ** (1 / 40)  # of the binomial share of b in a + b = 40
    assert (low, high) == (0.0, pytest.approx(most / (1 - most)))
    low, high = judged([40], [40], (1000, 1000))[0].interval
    assert low * high == pytest.approx(1.0)
    assert judged([0], [3], (1000, 1000))[0].interval is None


def test_steps_are_those_of_slow_loops():
    rng = stream(0, "p-values")
    for _ in range(50):
        p = rng.random(7) ** 3
        slow = np.ones(7)
        for place, which in enumerate(np.argsort(p)):
            before = slow[np.argsort(p)[place - 1]] if place else 0.0
            slow[which] = min(1.0, max(before, p[which] * (7 - place)))
        np.testing.assert_allclose(_holm(p), slow)
        least = next(k for k in range(1, 8) if sum(p <= 0.05 / k) <= k)
        assert (_testable(p, 0.05) == (p <= 0.05 / least)).all()


def test_halves_of_one_table_raise_an_alarm_as_seldom_as_stated():
    """A bound that holds is broken once in a million such tests; a test without Holm breaks it."""
    rng, runs = stream(1, "halves"), 600
    sizes = np.array([4, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 80, 100, 190])  # of 600 rows
    rows = np.repeat(np.arange(len(sizes)), sizes)
    alarms = 0
    for _ in range(runs):
        mixed = rng.permutation(rows)
        real, synthetic = (np.bincount(half, minlength=len(sizes)) for half in (mixed[:300], mixed[300:]))
        alarms += any(g.verdict in ("lost", "thinner") for g in judged(real, synthetic, (300, 300)))
    assert 0 < alarms <= binom.isf(1e-6, runs, 0.05)


@pytest.mark.parametrize(
    ("real", "synthetic", "rows", "alpha", "message"),
    [
        ([1], [1], (0, 5), 0.05, "rows at least 1"),
        ([1, 2], [1], (5, 5), 0.05, "one a group"),
        ([6], [1], (5, 5), 0.05, "counts must be 0 to 5"),
        ([1], [-1], (5, 5), 0.05, "counts must be"),
        ([1], [1], (5, 5), 0.0, "alpha must be above 0"),
        ([1], [1], (5, 5), float("nan"), "alpha must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(real, synthetic, rows, alpha, message):
    with pytest.raises(ValueError, match=message):
        judged(real, synthetic, rows, alpha)
