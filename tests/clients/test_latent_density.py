# SPDX-License-Identifier: Apache-2.0
"""Rule latent-density against a slow density, batch by batch."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tailweave.clients.selection.latent_density import latent_density
from tailweave.protocols.streams import stream


def batches(sizes: list[int], seed: int = 0) -> np.ndarray:
    rng = stream(seed, "batches")
    return np.concatenate([rng.uniform(0.2, 3.0) * rng.normal(size=(size, 2)) for size in sizes])


def slow_density(batch: np.ndarray) -> float:
    gaps = np.sort(cdist(batch, batch), axis=1)[:, 1:5]  # the first is the point itself
    return float(np.mean(1 / (gaps.mean(axis=1) + 1e-10)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [[64] * 6, [64, 64, 64, 20], [64, 64, 5], [64, 64 + 4], [30]])
def test_densest_batches_are_kept(seed, sizes):
    x = batches(sizes, seed)
    starts = np.cumsum([0, *sizes])
    densities = [slow_density(x[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    ranked = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in np.argsort(densities)[::-1]])
    for count in (1, 30, len(x) // 2, len(x)):
        if count <= len(x):
            assert latent_density(x, count).tolist() == sorted(ranked[:count])


def test_a_tight_batch_beats_a_wide_one():
    x = np.concatenate([5.0 * batches([64]), 0.01 * batches([64])])
    assert latent_density(x, 64).tolist() == list(range(64, 128))


def test_equal_candidates_are_infinitely_dense_but_finite():
    assert latent_density(np.ones((128, 2)), 10).tolist() == list(range(10))


def test_order_within_a_batch_does_not_matter():
    x = batches([64] * 4)
    mixed = np.concatenate([stream(i, "mix").permutation(x[i : i + 64]) for i in range(0, 256, 64)])
    assert latent_density(mixed, 128).tolist() == latent_density(x, 128).tolist()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rule latent-density needs at least 5 candidates, got 4"):
        latent_density(np.zeros((4, 2)), 2)
    with pytest.raises(ValueError, match="count must be in 1..8 .* got 9"):
        latent_density(np.zeros((8, 2)), 9)
    with pytest.raises(ValueError, match="candidates must be finite, got inf"):
        latent_density(np.full((8, 2), np.inf), 2)
