# SPDX-License-Identifier: Apache-2.0
"""The running share of predicted classes: by hand, against a slow loop, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailweave.clients.running_shares import RunningShares


def test_a_batch_by_hand():
    shares = RunningShares(2)
    shares.take([0, 0, 0, 1])
    assert shares.shares.tolist() == pytest.approx([0.525, 0.475], abs=1e-15)
    assert shares.weights([0, 1]).tolist() == pytest.approx([1 / 1.05, 1 / 0.95], abs=1e-15)
    shares.reset()
    assert shares.shares.tolist() == [0.5, 0.5]
    assert shares.weights([0, 1, 1]).tolist() == [1.0, 1.0, 1.0]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=6),
    st.floats(0.0, 0.99),
)
def test_shares_are_those_of_a_slow_loop_and_weights_are_bounded(batches, momentum):
    shares, slow = RunningShares(4, momentum=momentum), [0.25] * 4
    for batch in batches:
        shares.take(batch)
        for k in range(4):
            slow[k] = momentum * slow[k] + (1 - momentum) * batch.count(k) / len(batch)
        assert shares.shares == pytest.approx(slow, abs=1e-12)
        assert shares.shares.sum() == pytest.approx(1.0, abs=1e-12)
        assert shares.weights(batch).max() <= len(batch) / (4 * (1 - momentum)) * (1 + 1e-9)


def test_what_is_handed_out_changes_nothing():
    shares = RunningShares(3)
    shares.shares[0] = 9.0
    assert shares.shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RunningShares(0), "classes must be at least 1, got 0"),
        (lambda: RunningShares(2, momentum=1.0), r"momentum must be in \[0, 1\), got 1.0"),
        (lambda: RunningShares(2, momentum=float("nan")), "momentum must be in"),
        (lambda: RunningShares(2).take([]), r"one class a row, got shape \(0,\)"),
        (lambda: RunningShares(2).take([[0]]), r"got shape \(1, 1\)"),
        (lambda: RunningShares(2).take([0, 2]), "classes 0 to 1, got 0 to 2"),
        (lambda: RunningShares(2).take([-1]), "classes 0 to 1, got -1"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_share_of_zero_cannot_weigh():
    shares = RunningShares(2, momentum=0.0)
    shares.take(np.array([0, 0]))
    with pytest.raises(ValueError, match="a class whose share is 0: take the batch before"):
        shares.weights([1])
