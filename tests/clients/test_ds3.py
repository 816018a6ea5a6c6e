# SPDX-License-Identifier: Apache-2.0
"""Rule ds3: which clusters stay, by hand and by a slow search, and when clusters are halved."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from tailweave.clients.selection.ds3 import ds3, retained
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream


@pytest.mark.parametrize("seed", range(5))
def test_kept_clusters_are_those_that_a_slow_search_finds(seed):
    rng = stream(seed, "case")
    x, points = rng.normal(size=(60, 3)), rng.normal(size=(4, 3)) + 1.0
    fitted = KMeans(10, n_init=1, random_state=seed).fit(x)
    nearest = {int(np.argmin(cdist([point], fitted.cluster_centers_))) for point in points}
    expected = [i for i in range(60) if fitted.labels_[i] in nearest]
    assert retained(Empirical.of(points), x, 10, seed).tolist() == expected
    assert 0 < len(expected) < 60


def test_only_clusters_near_the_reference_are_drawn_from():
    rng = stream(0, "islands")
    x = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 50.0])
    reference = Empirical.of(rng.normal(size=(200, 2)))
    for seed in range(5):
        picks = ds3(reference, x, 100, rng=stream(seed, "s"))
        assert len(set(picks.tolist())) == 100
        assert picks.max() < 300


def test_clusters_are_halved_until_enough_is_kept():
    rng = stream(0, "islands")
    x = np.concatenate([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 50.0])
    reference = Empirical.of(x[:1])
    sizes = {k: len(retained(reference, x, k, 0)) for k in (200, 100, 50, 25, 12, 6, 3, 1)}
    assert sizes[200] < 20  # one point is nearest to one small cluster
    assert sizes[1] == 600
    picks = ds3(reference, x, 100, rng=stream(0, "s"))
    assert len(set(picks.tolist())) == 100
    assert picks.max() < 300  # the clusters that were large enough lie on the island of the point
    assert ds3(reference, x, 600, rng=stream(0, "s")).tolist() == list(range(600))


def test_the_draw_is_uniform_over_what_is_kept():
    x = np.array([[0.0], [0.1], [0.2], [9.0]])
    reference = Empirical.of([[0.1]])
    kept = [ds3(reference, x, 1, rng=stream(seed, "s"))[0] for seed in range(40)]
    assert set(kept) == {1}  # four clusters of one: the nearest only
    counts = np.zeros(3)
    points = Empirical.of([[0.0], [0.1], [0.2]])
    for seed in range(300):
        counts[ds3(points, x, 1, rng=stream(seed, "s"))[0]] += 1
    # Five standard errors of 100 +- 8: false alarms below 1e-6 a candidate.
    assert (np.abs(counts - 100) < 5 * np.sqrt(300 * 2 / 9)).all()


def test_the_same_stream_gives_the_same_pick():
    x, reference = stream(0, "x").normal(size=(30, 2)), Empirical.of([[0.0, 0.0], [1.0, 1.0]])
    one, two = (ds3(reference, x, 6, rng=stream(4, "s")).tolist() for _ in range(2))
    assert one == two
    assert ds3(reference, x[:1], 1, rng=stream(0, "s")).tolist() == [0]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="count must be in 1..3 .* got 4"):
        ds3(Empirical.of([[0.0]]), np.zeros((3, 1)), 4, rng=stream(0, "s"))
    with pytest.raises(ValueError, match="candidates must have 1 columns, got 2"):
        ds3(Empirical.of([[0.0]]), np.zeros((3, 2)), 1, rng=stream(0, "s"))
