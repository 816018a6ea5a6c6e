# SPDX-License-Identifier: Apache-2.0
"""Rule nash against the loop that evaluates every candidate at every step."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tailweave.clients.selection.nash import SiloPotentials, greedy, nash, silo_potentials, utilities
from tailweave.clients.selection.top_potential import top_potential
from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream


def slow_loop(u: np.ndarray, weights: np.ndarray, count: int) -> tuple[list[int], float]:
    """Scheme I as it is written; also the narrowest win."""
    z, picks, margin = np.zeros(len(u)), [], np.inf
    for _ in range(count):
        left = [i for i in range(u.shape[1]) if i not in picks]
        value = np.array([weights @ (np.log(1 + z + u[:, i]) - np.log(1 + z)) for i in left])
        if len(value) > 1:
            second, best = np.sort(value)[-2:]
            margin = min(margin, best - second)
        picks.append(left[int(np.argmax(value))])
        z += u[:, picks[-1]]
    return picks, margin


def case(seed: int, silos: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(seed, "case")
    f = rng.normal(size=(silos, size)) * rng.uniform(0.1, 30.0, (silos, 1)) + rng.normal(size=(silos, 1))
    weights = rng.uniform(0.05, 1.0, silos)
    return f, weights / weights.sum()


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 25), st.data())
@settings(max_examples=60, deadline=None)
def test_picks_are_those_of_the_slow_loop(seed, silos, size, data):
    count = data.draw(st.integers(1, size))
    f, weights = case(seed, silos, size)
    span = f.max(axis=1) - f.min(axis=1)
    u = 1 - (f - f.min(axis=1)[:, None]) / np.where(span > 0, span, 1)[:, None]
    expected, margin = slow_loop(u, weights, count)
    assume(margin > 1e-12)
    assert greedy(utilities(f), weights, count).tolist() == expected
    assert nash(f, weights, count).tolist() == sorted(expected)


@pytest.mark.parametrize("silos", [1, 2, 7])
@pytest.mark.parametrize("kind", ["spread", "one silo is met first", "clusters"])
def test_the_short_list_is_exact_beyond_its_length(silos, kind):
    rng = stream(silos, kind)
    u = rng.random((silos, 1300))
    if kind == "one silo is met first":
        u[0, :700] = 1.0
        u[1:, :700] *= 1e-3
    if kind == "clusters":
        u = (rng.random((silos, 5)) ** 3)[:, rng.integers(5, size=1300)] * rng.uniform(0.99, 1.0, (1, 1300))
    weights = np.full(silos, 1.0 / silos)
    base, left, expected = np.ones(silos), np.ones(1300, dtype=bool), []
    for _ in range(900):
        value = np.where(left, weights @ np.log(1 + u / base[:, None]), -np.inf)
        expected.append(int(np.argmax(value)))
        left[expected[-1]] = False
        base += u[:, expected[-1]]
    assert greedy(u, weights, 900).tolist() == expected


def test_ties_go_to_the_lower_index_beyond_the_short_list():
    u = np.repeat(stream(0, "u").random((3, 4)), 300, axis=1)  # 1,200 candidates, four different ones
    picks = greedy(u, np.full(3, 1 / 3), 1000).tolist()
    for group in range(4):
        of_group = [i for i in picks if i // 300 == group]
        assert of_group == list(range(group * 300, group * 300 + len(of_group)))


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 25), st.data())
@settings(max_examples=60, deadline=None)
def test_calibration_never_changes_the_selected_set(seed, silos, size, data):
    count = data.draw(st.integers(1, size))
    f, weights = case(seed, silos, size)
    assume(slow_loop(utilities(f), weights, count)[1] > 1e-9)  # rounding breaks a tie as it likes
    calibrated = size / (size - 1) * (f - f.mean(axis=1, keepdims=True))
    as_published = (1 + 1 / (size - 1)) * f - f.sum(axis=1, keepdims=True) / (size - 1)
    np.testing.assert_allclose(calibrated, as_published, atol=1e-11)
    assert nash(calibrated, weights, count).tolist() == nash(f, weights, count).tolist()


def test_with_one_silo_the_pick_is_the_cut():
    reference = Empirical.of(stream(0, "r").normal(size=(12, 2)))
    x = stream(0, "x").normal(size=(40, 2))
    potentials, weights = silo_potentials(reference, x)
    assert (potentials.shape, weights.tolist()) == ((1, 40), [1.0])
    assert nash(potentials, weights, 9).tolist() == top_potential(reference, x, 9).tolist()


def test_no_silo_is_left_out():
    """Two silos, candidates good for one of them; the many of the first silo do not crowd out the second."""
    f = np.array([[0.0] * 8 + [1.0] * 3, [1.0] * 8 + [0.0] * 3])
    assert nash(f, np.ones(2), 4).tolist() == [0, 1, 8, 9]
    assert nash(f, np.array([3.0, 1.0]), 4).tolist() == [0, 1, 2, 8]


@given(st.permutations(range(14)))
@settings(max_examples=20, deadline=None)
def test_order_of_candidates_and_of_silos_does_not_matter(order):
    f, weights = case(2, 3, 14)
    assert slow_loop(utilities(f), weights, 6)[1] > 1e-6
    kept = nash(f, weights, 6).tolist()
    assert sorted(np.array(order)[nash(f[:, order], weights, 6)]) == kept
    assert nash(f[::-1], weights[::-1], 6).tolist() == kept


def test_a_silo_to_which_all_are_equal_has_no_say():
    f, weights = case(3, 2, 15)
    silent = np.concatenate([f, np.full((1, 15), 4.0)])
    assert nash(silent, np.append(weights, 0.7), 6).tolist() == nash(f, weights, 6).tolist()


@dataclass(frozen=True)
class Two:
    """A reference of two silos, as ``geodesic`` is."""

    weights: Floats

    def potential(self, x: Floats) -> Floats:
        raise NotImplementedError

    def pairs(self, x: Floats):
        raise NotImplementedError

    def potentials(self, x: Floats) -> Floats:
        return np.stack([x[:, 0], -x[:, 0]])


def test_a_reference_of_silos_gives_its_own_potentials():
    reference = Two(np.array([0.5, 0.5]))
    assert isinstance(reference, SiloPotentials)
    potentials, weights = silo_potentials(reference, np.array([[1.0], [2.0]]))
    assert potentials.tolist() == [[1.0, 2.0], [-1.0, -2.0]]
    assert weights.tolist() == [0.5, 0.5]


def test_a_sketch_is_refused():
    spec = SlicedReference(kind="sliced", directions=3, coefficients=2)
    sketch = Sliced(np.zeros((3, 2)), spec, PublicSpace(np.zeros(2), 1.0, 0))
    with pytest.raises(ValueError, match="rule nash needs a reference .* with points, got Sliced"):
        silo_potentials(sketch, np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("potentials", "weights", "count", "message"),
    [
        (np.zeros((2, 3)), np.ones(2), 0, "count must be in 1..3 .* got 0"),
        (np.zeros((2, 3)), np.ones(2), 4, "count must be in 1..3 .* got 4"),
        (np.zeros((2, 3)), np.ones(3), 1, r"weights must have shape \(2,\), one a silo, got \(3,\)"),
        (np.zeros((2, 3)), np.array([1.0, -1.0]), 1, "weights must be finite, non-negative"),
        (np.array([[np.nan, 1.0]]), np.ones(1), 1, "potentials must be finite, got nan"),
        (np.zeros(3), np.ones(1), 1, "potentials must be a non-empty matrix"),
    ],
)
def test_bad_input_is_refused(potentials, weights, count, message):
    with pytest.raises(ValueError, match=message):
        nash(potentials, weights, count)
