# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from sklearn.cluster import KMeans

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.privacy.mechanisms import lloyd
from tailweave.protocols.privacy.mechanisms.grid import GRID
from tailweave.protocols.privacy.noise import SeededNoise

SPACE = PublicSpace(np.array([10.0, -5.0]), 2.0, seed=1)
SPEC = QuantizedReference(kind="quantized", clusters=32)


def seeded(seed=0):
    return SeededNoise(np.random.default_rng(seed))


def three_clusters(n, rng):
    means = np.array([[1.2, 0.0], [-0.8, 0.9], [-0.8, -0.9]])
    label = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return SPACE.center + SPACE.scale * (means[label] + 0.15 * rng.standard_normal((n, 2)))


def test_looks_compose_to_the_whole():
    parts = lloyd.multipliers(1.7)
    assert len(parts) == 6
    assert sum(1 / z**2 for z in parts) == pytest.approx(1 / 1.7**2, rel=1e-12)
    assert 1.7**2 / parts[0] ** 2 == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rows", "z", "k"), [(100, 4.225, 4), (10_000, 4.225, 10), (10_000, 2.23, 19), (1e6, 1, 32)]
)
def test_cluster_count_is_near_n_epsilon_over_a_thousand(rows, z, k):
    assert lloyd.cluster_count(rows, z) == k


def test_table_equals_a_slow_loop():
    rng = np.random.default_rng(2)
    points, centres = rng.uniform(-0.6, 0.6, (40, 2)), rng.uniform(-0.6, 0.6, (5, 2))
    slow = np.zeros((5, 4))
    for point in points:
        nearest = min(range(5), key=lambda c: ((point - centres[c]) ** 2).sum())
        slow[nearest] += [0.3, *point, 0.3 * (point**2).sum()]
    np.testing.assert_allclose(lloyd.table(points, centres) * GRID, slow, atol=40 * GRID)


def test_look_with_little_noise_gives_counts_means_and_variances():
    rng = np.random.default_rng(7)
    left, right = (np.array([x, 0.0, 0.1]) + 0.1 * rng.standard_normal((3000, 3)) for x in (-0.5, 0.5))
    centres = np.array([[-0.4, 0.0, 0.0], [0.4, 0.1, 0.0]])
    clusters = lloyd.look(np.vstack([left, right]), centres, 0.01, noise=seeded())
    np.testing.assert_allclose(clusters.counts, 3000, atol=0.2)  # noise: .01 * 1.09 / .3 = .036
    np.testing.assert_allclose(clusters.means, [left.mean(axis=0), right.mean(axis=0)], atol=1e-4)
    np.testing.assert_allclose(
        clusters.variances, [left.var(axis=0).mean(), right.var(axis=0).mean()], atol=1e-4
    )


def test_iterations_come_near_k_means():
    rows = three_clusters(50_000, np.random.default_rng(8))
    summary = lloyd.privatise(rows, SPEC, SPACE, 0.5, noise=seeded())
    gaps = ((rows[:, None, :] - summary.centroids) ** 2).sum(axis=2)
    best = KMeans(len(summary.counts), n_init=3, random_state=0).fit(rows).inertia_
    assert gaps.min(axis=1).sum() < 1.25 * best  # four seeds: 1.04 to 1.09; without iterations 1.46 to 1.59


def test_with_many_rows_it_finds_the_distribution():
    rows = three_clusters(100_000, np.random.default_rng(3))
    summary = lloyd.privatise(rows, SPEC, SPACE, 4.225, noise=seeded())
    assert 3 <= len(summary.counts) <= 32
    assert summary.counts.sum() == pytest.approx(100_000, rel=0.02)
    masses = summary.counts / summary.counts.sum()
    mean = masses @ summary.centroids
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=0.05)
    between = ((summary.centroids - mean) ** 2 * masses[:, None]).sum()
    total = between + (masses[:, None] * summary.variances).sum()
    assert total == pytest.approx(rows.var(axis=0).sum(), rel=0.03)
    assert (summary.variances[:, 0] == summary.variances[:, 1]).all()
    assert (masses[:, None] * summary.variances).sum() < 0.2 * rows.var(axis=0).sum()  # clusters were found


def test_few_rows_give_one_cluster_from_the_first_look():
    rows = three_clusters(60, np.random.default_rng(4))
    summary = lloyd.privatise(rows, SPEC, SPACE, 30.0, noise=seeded())
    assert summary.centroids.shape == (1, 2)
    assert np.isfinite(summary.variances).all()


def test_clusters_below_the_noise_are_dropped_and_the_cap_holds():
    assert lloyd.fewest(2, 0.1) == 20.0
    assert lloyd.fewest(2, 30.0) == pytest.approx(3 * 30 * np.sqrt(1.18) / 0.3, rel=1e-4)
    rows = three_clusters(20_000, np.random.default_rng(5))
    few = QuantizedReference(kind="quantized", clusters=2)
    summary = lloyd.privatise(rows, few, SPACE, 1.0, noise=seeded())
    assert len(summary.counts) <= 2
    assert summary.counts.min() >= lloyd.fewest(2, lloyd.multipliers(1.0)[-1])


def test_same_noise_same_bytes():
    rows = three_clusters(500, np.random.default_rng(6))
    one, two = (lloyd.privatise(rows, SPEC, SPACE, 1.0, noise=seeded(9)) for _ in range(2))
    assert one.centroids.tobytes() == two.centroids.tobytes()
