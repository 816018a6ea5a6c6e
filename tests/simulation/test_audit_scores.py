# SPDX-License-Identifier: Apache-2.0
"""What counts as recovered, what an attack is worth, and the most that theory allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.privacy.canary import delong
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.ceilings import auc_ceiling, tpr_ceiling
from tailweave.simulation.audit.recovered import CLOSE, EXACT, pooled, recovered, ruler
from tailweave.simulation.audit.scores import membership


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=12), st.lists(st.integers(0, 5), min_size=2, max_size=12)
)
def test_auc_counts_pairs_and_halves_ties(members, others):
    pairs = [(m > o) + 0.5 * (m == o) for m in members for o in others]
    auc, error = delong(np.array(members, dtype=float), np.array(others, dtype=float))
    assert auc == pytest.approx(np.mean(pairs))
    assert error >= 0.0


def test_delong_error_is_the_spread_over_repetitions():
    rng = stream(0, "delong")
    draws = np.array([delong(rng.normal(1.0, 1.0, 60), rng.standard_normal(40)) for _ in range(800)])
    # the sample sd of 800 draws has relative error 1/sqrt(1600) = 2.5 %: six of them, 1e-9 false alarms
    assert draws[:, 1].mean() == pytest.approx(draws[:, 0].std(), rel=0.15)
    assert draws[:, 0].mean() == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=6 * 0.05 / np.sqrt(800))


def test_membership_takes_the_larger_error():
    inside, outside = np.arange(100.0) + 1000.0, np.arange(100.0)
    result = membership([inside, outside], [outside, outside])
    assert (result.auc, result.silos) == (0.75, 2)
    assert result.auc_se == pytest.approx(0.25)  # between silos: |1 - .5| / 2
    assert result.tpr == pytest.approx((1.0 + 0.0) / 2)
    alone = membership([inside], [inside])
    assert alone.auc == 0.5
    assert alone.auc_se == pytest.approx(delong(inside, inside)[1])
    one = membership([np.arange(200.0)], [np.arange(200.0)])
    assert one.tpr == pytest.approx(0.01, abs=0.005)  # guessing finds as many as it accuses


def test_membership_refuses_what_it_cannot_judge():
    for members, others in (([], []), ([np.ones(3)], []), ([np.ones(1)], [np.ones(3)])):
        with pytest.raises(ValueError, match="2 scores or more of each"):
            membership(members, others)


def test_ceilings_agree_with_each_other_and_with_the_likelihood_ratio():
    z = 1.7
    area = quad(lambda fpr: tpr_ceiling(z, fpr), 0.0, 1.0)[0]
    assert auc_ceiling(z) == pytest.approx(area, abs=1e-6)
    shift = np.sqrt(2.0) / z
    threshold = norm.isf(0.01)  # most powerful test of N(0, 1) against N(shift, 1)
    assert tpr_ceiling(z, 0.01) == pytest.approx(norm.sf(threshold - shift))


def test_ceilings_of_the_notes():
    # computed apart, delta = 1e-6; there z has three decimals, which moves the TPR at 8 by 7e-4
    table = {0.5: (0.549, 0.016), 1: (0.594, 0.023), 2: (0.673, 0.045), 4: (0.799, 0.127), 8: (0.937, 0.437)}
    for epsilon, (auc, tpr) in table.items():
        z = noise_multiplier(epsilon, 1e-6)
        assert auc_ceiling(z) == pytest.approx(auc, abs=6e-4)
        assert tpr_ceiling(z, 0.01) == pytest.approx(tpr, abs=1.2e-3)
    assert auc_ceiling(np.inf) == 0.5


def test_ceilings_refuse_nonsense():
    with pytest.raises(ValueError, match="z must be positive, got 0"):
        auc_ceiling(0.0)
    with pytest.raises(ValueError, match="fpr must be between 0 and 1, got 1"):
        tpr_ceiling(1.0, 1.0)


def test_recovered_counts_exact_and_close_rows():
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    decoys = np.array([[0.0, 1e-9], [9.0, 9.0], [8.0, 9.0], [9.0, 8.0]])
    by = ruler(rows, decoys, scale=2.0)
    assert by.unit == 1.0  # nearest neighbours at 1, 1, 1 and sqrt(41)
    assert (by.exact, by.close) == (2.0 * EXACT, CLOSE)
    guesses = np.array([[1.0 + 1e-7, 0.0], [0.0, 1.04], [5.0, 5.06]])
    found = recovered(guesses, rows, by)
    assert (found.rows, found.exact, found.close) == (4, 1, 2)
    assert found.chance_exact == pytest.approx(
        3 / 4
    )  # one decoy in four is a row, and there were three guesses
    assert found.chance_close == pytest.approx(3 / 4)


def test_success_must_beat_chance():
    rows, far = stream(0, "r").standard_normal((50, 3)), np.full((1000, 3), 50.0)
    by = ruler(rows, far, 1.0)
    assert recovered(rows[:1], rows, by).succeeded  # one exact row is enough
    near = rows + 0.2 * by.close
    assert not recovered(near[:1], rows, by).succeeded  # one close guess may be luck: p = 1e-3
    assert recovered(near[:20], rows, by).succeeded
    assert not recovered(far, rows, by).succeeded
    same = ruler(rows, np.vstack([rows, rows]), 1.0)  # other silos hold the same rows
    assert not recovered(rows[:5], rows, same).succeeded


def test_duplicates_leave_a_positive_ruler():
    by = ruler(np.zeros((4, 2)), np.ones((1, 2)), 3.0)
    assert (by.unit, by.close) == (3.0, pytest.approx(0.15))
    with pytest.raises(ValueError, match="at least 2, got 1"):
        ruler(np.zeros((1, 2)), np.ones((1, 2)), 3.0)


def test_pooling_adds():
    rows = np.arange(6.0).reshape(3, 2)
    by = ruler(rows, np.full((10, 2), 99.0), 1.0)
    one, two = recovered(rows[:1], rows, by), recovered(rows[:2], rows, by)
    both = pooled([one, two])
    assert (both.rows, both.exact, both.close) == (6, 3, 3)
    assert both.chance_close == pytest.approx(0.1 + 0.2)
    with pytest.raises(ValueError, match="must not be empty"):
        pooled([])
