# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.server.controls.weights import CAP, cap_weights


def slow_water_filling(counts, cap):
    """Cap shares one round at a time: whoever is over is fixed there, the rest divide what is left."""
    counts = np.asarray(counts, dtype=float)
    cap = max(cap, 1 / np.count_nonzero(counts))
    fixed = np.zeros(len(counts), dtype=bool)
    while True:
        free = (1 - cap * fixed.sum()) * np.where(fixed, 0, counts) / max(counts[~fixed].sum(), 1e-300)
        shares = np.where(fixed, cap, free)
        over = (shares > cap * (1 + 1e-12)) & ~fixed
        if not over.any():
            return shares
        fixed |= over


def test_known_answer():
    # Five silos, one of which claims a hundred times its rows: l = .25 * 8000 / .75.
    assert cap_weights([2000, 2000, 2000, 2000, 200_000]) == pytest.approx([2000] * 4 + [8000 / 3])
    # Two large ones: l = .25 * 300 / .5.
    assert cap_weights([100, 900, 100, 500, 100]) == pytest.approx([100, 150, 100, 150, 100])


def test_a_cap_that_divides_by_the_sum_afterwards_does_not_cap():
    counts = np.array([2000.0] * 4 + [200_000.0])
    cut = np.minimum(counts / counts.sum(), CAP)
    assert (cut / cut.sum())[-1] > 0.85
    assert (cap_weights(counts) / cap_weights(counts).sum())[-1] == pytest.approx(CAP)


counts_lists = st.lists(st.integers(1, 10**9), min_size=1, max_size=20)


@settings(max_examples=150, deadline=None)
@given(counts_lists, st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0]))
def test_agrees_with_the_slow_loop_and_caps(counts, cap):
    weights = cap_weights(counts, cap)
    shares = weights / weights.sum()
    assert shares == pytest.approx(slow_water_filling(counts, cap), rel=1e-9)
    assert shares.max() <= max(cap, 1 / len(counts)) * (1 + 1e-9)
    order = np.argsort(counts, kind="stable")
    assert (np.diff(weights[order]) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1000, 1300), min_size=6, max_size=12))
def test_where_the_cap_does_not_bind_the_weights_are_the_counts_to_the_last_bit(counts):
    assert cap_weights(counts).tobytes() == np.array(counts, dtype=float).tobytes()


@pytest.mark.parametrize("silos", [1, 2, 3, 4])
def test_few_silos_weigh_the_same(silos):
    assert cap_weights(np.arange(silos) + 7.0) == pytest.approx([7.0] * silos)


def test_silos_without_rows_weigh_nothing_and_do_not_count():
    assert cap_weights([0, 300, 200, 900, 0]) == pytest.approx([0, 200, 200, 200, 0])
    assert cap_weights([0.0, 0.0]).tolist() == [0.0, 0.0]
    assert cap_weights([]).size == 0


@pytest.mark.parametrize("counts", [[1, -1], [np.nan, 1], [np.inf, 1], [[1, 2]]])
def test_refuses_counts_that_are_none(counts):
    with pytest.raises(ValueError, match="counts must be a finite, non-negative vector"):
        cap_weights(counts)


@pytest.mark.parametrize("cap", [0.0, -0.1, 1.1, float("nan")])
def test_refuses_a_cap_that_is_no_share(cap):
    with pytest.raises(ValueError, match="cap must be in"):
        cap_weights([1, 2], cap)
