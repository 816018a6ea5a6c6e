# SPDX-License-Identifier: Apache-2.0
"""Rule top-potential: strong duality against POT's primal value, and the calibration that changes nothing."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tailweave.clients.selection.top_potential import top_potential, transport_potential
from tailweave.protocols.pot import ot
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


def case(seed: int, size: int, dimension: int = 2) -> tuple[Empirical, np.ndarray]:
    rng = stream(seed, "case")
    reference = Empirical.of(rng.normal(size=(7, dimension)), rng.uniform(0.2, 1.0, 7))
    return reference, rng.normal(size=(size, dimension)) * 1.5 + 0.3


@given(st.integers(0, 10_000), st.integers(1, 15), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_duals_are_feasible_and_reach_the_primal_value(seed, size, dimension):
    reference, candidates = case(seed, size, dimension)
    cost = cdist(candidates, reference.points, "sqeuclidean")
    f = transport_potential(reference, candidates)
    g = (cost - f[:, None]).min(axis=0)  # the c-transform: the best partner of f
    primal = ot.emd2(np.full(size, 1.0 / size), reference.masses, cost)
    # Weak duality holds for any f, so only an optimal one reaches the primal value.
    assert f.mean() + g @ reference.masses == pytest.approx(primal, abs=1e-9)


@given(st.integers(0, 10_000), st.integers(2, 20), st.data())
@settings(max_examples=40, deadline=None)
def test_calibration_never_changes_the_pick(seed, size, data):
    reference, candidates = case(seed, size)
    count = data.draw(st.integers(1, size - 1))
    f = transport_potential(reference, candidates)
    ordered = np.sort(f)
    assume(ordered[count] - ordered[count - 1] > 1e-9)  # a tie is broken by rounding, not by the score
    calibrated = size / (size - 1) * (f - f.mean())
    expected = np.sort(np.argsort(calibrated)[:count])
    assert top_potential(reference, candidates, count).tolist() == expected.tolist()


def test_near_candidates_are_kept_and_far_ones_dropped():
    reference = Empirical.of(np.zeros((5, 1)))
    candidates = np.array([[9.0], [0.1], [-7.0], [0.2], [8.0]])
    assert top_potential(reference, candidates, 2).tolist() == [1, 3]


def test_potential_is_the_derivative_of_the_transport_cost():
    reference, candidates = case(3, 9)
    cost = cdist(candidates, reference.points, "sqeuclidean")
    f = transport_potential(reference, candidates)
    step = 1e-6
    masses = np.full(9, 1 / 9)
    moved = masses.copy()
    moved[2] += step
    moved[5] -= step
    slope = (ot.emd2(moved, reference.masses, cost) - ot.emd2(masses, reference.masses, cost)) / step
    # The cost is piecewise linear in the masses: the slope is exact up to rounding of 1e-15 / 1e-6.
    assert slope == pytest.approx(f[2] - f[5], abs=1e-7)


def test_ties_go_to_the_lower_index():
    assert top_potential(Empirical.of(np.zeros((3, 1))), np.ones((4, 1)), 2).tolist() == [0, 1]


def test_one_candidate_and_all_of_all():
    reference, candidates = case(0, 6)
    assert top_potential(reference, candidates[:1], 1).tolist() == [0]
    assert top_potential(reference, candidates, 6).tolist() == list(range(6))


@pytest.mark.parametrize("count", [0, 7])
def test_counts_out_of_range_are_refused(count):
    reference, candidates = case(0, 6)
    with pytest.raises(ValueError, match=rf"count must be in 1..6 .* got {count}"):
        top_potential(reference, candidates, count)


def test_candidates_of_another_dimension_are_refused():
    reference, _ = case(0, 6)
    with pytest.raises(ValueError, match="candidates must have 2 columns, got 3"):
        top_potential(reference, np.zeros((4, 3)), 1)
