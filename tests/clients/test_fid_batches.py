# SPDX-License-Identifier: Apache-2.0
"""Rule fid-batches against the Fréchet distance by scipy's matrix root, batch by batch."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tailweave.clients.selection.fid_batches import fid_batches
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream

POINTS = stream(0, "points").normal(size=(40, 3))


def batches(sizes: list[int], *, seed: int = 0) -> np.ndarray:
    """Batches with means and spreads of their own."""
    rng = stream(seed, "batches")
    return np.concatenate(
        [rng.normal(size=3) + rng.uniform(0.3, 2.0) * rng.normal(size=(size, 3)) for size in sizes]
    )


def slow_distance(batch: np.ndarray, points: np.ndarray) -> float:
    a, b = np.cov(batch, rowvar=False), np.cov(points, rowvar=False)
    shift = ((batch.mean(axis=0) - points.mean(axis=0)) ** 2).sum()
    return float(shift + np.trace(a + b - 2 * sqrtm(a @ b).real))


@pytest.mark.parametrize("seed", range(5))
def test_whole_batches_of_least_distance_are_kept(seed):
    x = batches([100] * 8, seed=seed)
    distances = [slow_distance(x[i : i + 100], POINTS) for i in range(0, 800, 100)]
    kept = np.sort(np.argsort(distances)[:2])
    expected = (kept[:, None] * 100 + np.arange(100)).ravel()
    assert fid_batches(Empirical.of(POINTS), x, 200).tolist() == expected.tolist()


def test_the_batch_that_is_the_reference_wins():
    x = batches([100] * 4)
    assert fid_batches(Empirical.of(x[200:300]), x, 100).tolist() == list(range(200, 300))


def test_masses_count():
    x = batches([100, 100])
    points = np.concatenate([x[:100], x[100:]])
    for kept, masses in ((0, [1.0, 1e-6]), (1, [1e-6, 1.0])):
        reference = Empirical.of(points, np.repeat(masses, 100))
        assert fid_batches(reference, x, 100)[0] == kept * 100


def test_the_last_batch_is_cut_and_the_remainder_comes_last():
    x = batches([100, 100, 30])
    best = fid_batches(Empirical.of(POINTS), x, 100)
    assert fid_batches(Empirical.of(POINTS), x, 40).tolist() == best[:40].tolist()
    assert fid_batches(Empirical.of(POINTS), x, 205).tolist() == list(range(205))
    # The remainder is the reference itself and still comes last, as the published rule never looks at it.
    assert fid_batches(Empirical.of(x[200:]), x, 200).tolist() == list(range(200))


def test_the_order_within_a_batch_does_not_matter():
    x = batches([100] * 4)
    mixed = np.concatenate([stream(i, "mix").permutation(x[i : i + 100]) for i in range(0, 400, 100)])
    reference = Empirical.of(POINTS)
    assert fid_batches(reference, mixed, 200).tolist() == fid_batches(reference, x, 200).tolist()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rule fid-batches needs at least 100 candidates, got 99"):
        fid_batches(Empirical.of(POINTS), np.zeros((99, 3)), 5)
    with pytest.raises(ValueError, match="count must be in 1..100 .* got 101"):
        fid_batches(Empirical.of(POINTS), np.zeros((100, 3)), 101)
    with pytest.raises(ValueError, match="candidates must have 3 columns, got 2"):
        fid_batches(Empirical.of(POINTS), np.zeros((100, 2)), 5)
    with pytest.raises(ValueError, match="at least two reference points, got 1"):
        fid_batches(Empirical.of(POINTS[:1]), np.zeros((100, 3)), 5)
