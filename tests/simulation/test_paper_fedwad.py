# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.transport.projection import project
from tailweave.simulation.paper.fedwad import fedwad


def clouds(seed, *, rows=100, columns=2, shift=4.0, scale=0.1**0.5):
    rng = np.random.default_rng(seed)
    left, right = scale * rng.standard_normal((2, rows, columns))
    right[:, 0] += shift
    return left, right, rng


@pytest.mark.parametrize("seed", range(3))
def test_the_published_case_ends_within_two_thousandths(seed):
    # a run of the formulas of arXiv 2310.01973: n = m = s = 100, variance .1,
    # shift 4, first atoms N(0, 10^2 I), 20 rounds
    left, right, rng = clouds(seed)
    found = fedwad(left, right, 10 * rng.standard_normal((100, 2)), rounds=20)
    exact = np.sqrt(project(left, right).cost_sq)
    assert 1 - 1e-9 <= found.lengths[19] / exact <= 1.002
    assert np.diff(found.lengths).max() <= 1e-9  # rounding of the plans
    assert found.lengths[:2] == pytest.approx((27.97, 14.39), rel=0.25)  # published, one draw
    assert found.distance == found.lengths[20]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0.2, 0.8))
def test_on_a_line_it_is_monotone_and_exact(seed, rows, t):
    left, right, rng = clouds(seed, rows=rows, columns=1, shift=1.0, scale=1.0)
    found = fedwad(left, right, rng.standard_normal((rows, 1)), rounds=60, t=t)
    exact = np.sqrt(np.mean((np.sort(left[:, 0]) - np.sort(right[:, 0])) ** 2))  # sorted matching
    assert np.diff(found.lengths).max() <= 1e-9
    assert found.distance == pytest.approx(exact, rel=1e-6, abs=1e-6)


def test_a_scattered_start_sticks_in_many_dimensions_and_a_tight_one_does_not():
    # a run of the same formulas: d = 50, 12-14 % too high from scale 1, exact from scale .01
    left, right, rng = clouds(0, rows=60, columns=50, scale=1.0)
    first = rng.standard_normal((60, 50))
    exact = np.sqrt(project(left, right).cost_sq)
    wide, tight = (fedwad(left, right, scale * first, rounds=12).distance / exact - 1 for scale in (1, 0.01))
    assert wide > 0.05
    assert tight < 0.002


def test_with_as_many_atoms_as_rows_a_message_gives_the_rows_away():
    left, _, rng = clouds(1, rows=30)
    xi = rng.standard_normal((30, 2))
    message = 0.5 * xi + 0.5 * project(xi, left).image
    recovered = (message - 0.5 * xi) / 0.5
    np.testing.assert_allclose(np.sort(recovered, axis=0), np.sort(left, axis=0), atol=1e-12)


def test_equal_silos_are_at_distance_zero():
    left, _, rng = clouds(2, rows=20)
    assert fedwad(left, left[::-1], rng.standard_normal((20, 2)), rounds=60).distance < 1e-6


def test_unequal_sizes_stay_an_upper_bound():
    left, right, rng = clouds(3)
    found = fedwad(left, right[:33], 0.1 * rng.standard_normal((100, 2)), rounds=20)
    exact = np.sqrt(project(left, right[:33]).cost_sq)
    assert exact * (1 - 1e-3) <= found.distance <= exact * 1.002


def test_bad_inputs():
    left, right, _ = clouds(0, rows=3)
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        fedwad(left, right, left, rounds=0)
    with pytest.raises(ValueError, match=r"t must be inside \(0, 1\), got 1.0"):
        fedwad(left, right, left, rounds=1, t=1.0)
    with pytest.raises(ValueError, match="right must have 2 columns, got 3"):
        fedwad(left, np.zeros((3, 3)), left, rounds=1)
    with pytest.raises(ValueError, match="left must be finite"):
        fedwad(left * np.nan, right, left, rounds=1)
