# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.references.quantized import QuantizedSummary, aggregate, pseudo_samples, summarise


def rng(seed=0):
    return np.random.default_rng(seed)


def mixture(masses, spread=0.0, d=2):
    """Clusters at 0, 10, 20, ... on the first axis."""
    centroids = np.zeros((len(masses), d))
    centroids[:, 0] = 10.0 * np.arange(len(masses))
    return QuantizedSummary(
        centroids, np.asarray(masses, dtype=np.float64), np.full((len(masses), d), spread)
    )


def shares(points, clusters):
    return np.bincount(np.rint(points[:, 0] / 10).astype(int), minlength=clusters) / len(points)


def test_two_blobs_are_found():
    rows = np.concatenate([rng(1).normal(0, 1, (30, 2)), rng(2).normal(50, 2, (20, 2))])
    found = summarise(rows, 2, 5, rng=rng())
    order = np.argsort(found.centroids[:, 0])
    parts = [rows[:30], rows[30:]]
    assert found.counts[order].tolist() == [30.0, 20.0]
    np.testing.assert_allclose(found.centroids[order], [p.mean(axis=0) for p in parts], rtol=1e-12)
    np.testing.assert_allclose(found.variances[order], [p.var(axis=0) for p in parts], rtol=1e-12)


@given(st.integers(10, 80), st.integers(1, 30), st.integers(1, 10), st.booleans(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_what_every_release_keeps(n, clusters, smallest, outliers, seed):
    rows = rng(seed).standard_normal((n, 3))
    if outliers:
        rows[:3] *= 1000.0  # alone in their clusters, so they must be merged away
    found = summarise(rows, clusters, smallest, rng=rng(seed))
    total = found.counts.sum()
    mean = found.counts @ found.centroids / total
    second = found.counts @ (found.variances + (found.centroids - mean) ** 2) / total
    assert total == n
    assert len(found.counts) <= clusters
    assert found.counts.min() >= smallest
    assert (found.counts == np.rint(found.counts)).all()
    scale = np.abs(rows).max()
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-13 * scale)
    np.testing.assert_allclose(second, rows.var(axis=0), atol=1e-12 * scale**2)  # law of total variance


def test_small_clusters_join_the_nearest_and_keep_their_spread():
    rows = np.array([[0.0], [0.1], [0.2], [10.0], [10.1], [10.2], [13.0]])
    found = summarise(rows, 3, 2, rng=rng())
    order = np.argsort(found.centroids[:, 0])
    assert found.counts[order].tolist() == [3.0, 4.0]
    np.testing.assert_allclose(found.centroids[order][:, 0], [0.1, rows[3:].mean()])
    np.testing.assert_allclose(found.variances[order][:, 0], [rows[:3].var(), rows[3:].var()])


def test_equal_rows_are_one_cluster_without_spread():
    with pytest.warns(UserWarning, match="Number of distinct clusters"):
        found = summarise(np.full((12, 2), 3.0), 4, 3, rng=rng())
    assert found.arrays()["centroids"].tolist() == [[3.0, 3.0]]
    assert found.counts.tolist() == [12.0]
    assert found.variances.tolist() == [[0.0, 0.0]]


def test_fewest_rows_are_one_cluster():
    found = summarise(rng().standard_normal((10, 2)), 32, 10, rng=rng())
    assert found.counts.tolist() == [10.0]
    with pytest.raises(ValueError, match="at least min-cluster-size = 10 rows: it has fewer"):
        summarise(np.zeros((9, 2)), 32, 10, rng=rng())


def test_summarise_depends_on_its_stream_only():
    rows = rng(3).standard_normal((200, 2))
    one, same = (summarise(rows, 8, 5, rng=rng(4)) for _ in range(2))
    other = summarise(rows, 8, 5, rng=rng(5))
    assert one.centroids.tobytes() == same.centroids.tobytes()
    assert one.centroids.tobytes() != other.centroids.tobytes()


def test_summarise_refuses_rows_that_are_not_finite():
    with pytest.raises(ValueError, match="rows must be finite, got nan"):
        summarise(np.full((20, 2), np.nan), 2, 5, rng=rng())


def test_aggregate_weighs_clusters_by_rows():
    found = aggregate([mixture([30, 10]), mixture([60])])
    np.testing.assert_allclose(found.counts, [0.3, 0.1, 0.6], rtol=1e-15)
    assert found.centroids[:, 0].tolist() == [0.0, 10.0, 0.0]
    assert found.variances.shape == (3, 2)


@pytest.mark.parametrize(
    ("summaries", "message"),
    [([], r"share one dimension, got \[\]"), ([mixture([1], d=2), mixture([1], d=3)], r"got \[2, 3\]")],
)
def test_aggregate_refuses(summaries, message):
    with pytest.raises(ValueError, match=message):
        aggregate(summaries)


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12), st.integers(1, 300), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_cluster_sizes_are_within_one_point_of_their_share(masses, count, seed):
    found = pseudo_samples(mixture(masses), count, rng=rng(seed))
    wanted = np.array(masses) / np.sum(masses)
    assert found.points.shape == (count, 2)
    assert (found.masses == 1 / count).all()
    assert np.abs(shares(found.points, len(masses)) - wanted).max() * count < 1 + 1e-9


def test_cluster_shares_are_unbiased():
    masses, count, draws = np.array([0.05, 0.35, 0.6]), 7, 1500
    mean = np.mean(
        [shares(pseudo_samples(mixture(masses), count, rng=rng(s)).points, 3) for s in range(draws)], 0
    )
    # a size is one of two neighbouring integers, so its variance is at most 1/4; three means at 6 standard
    # errors: false-alarm rate below 1e-8
    assert np.abs(mean - masses).max() < 6 * 0.5 / count / np.sqrt(draws)


def test_points_have_their_clusters_mean_and_variance():
    count = 40_000
    cluster = QuantizedSummary(np.array([[1.0, -2.0]]), np.ones(1), np.array([[4.0, 0.0]]))
    points = pseudo_samples(cluster, count, rng=rng(6)).points
    # 6 standard errors of a mean and of a variance: false-alarm rate below 1e-8
    assert abs(points[:, 0].mean() - 1.0) < 6 * 2 / np.sqrt(count)
    assert abs(points[:, 0].var() - 4.0) < 6 * 4 * np.sqrt(2 / count)
    assert (points[:, 1] == -2.0).all()


def test_wire_arrays_round_trip():
    sent = mixture([3, 4], spread=0.5).arrays()
    back = QuantizedSummary.from_arrays(sent).arrays()
    assert {name: array.tolist() for name, array in back.items()} == {n: a.tolist() for n, a in sent.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": np.array([1.0])}, r"summary of 2 clusters has counts \(1,\)"),
        ({"counts": np.ones((2, 1))}, r"has counts \(2, 1\)"),
        ({"variances": np.zeros((3, 2))}, r"variances \(3, 2\)"),
        ({"variances": np.zeros((2, 3))}, "variances must have 2 columns, got 3"),
        ({"counts": np.array([1.0, 0.0])}, "counts must be finite and positive, got 0.0"),
        ({"counts": np.array([1.0, -5.0])}, "counts must be finite and positive, got -5.0"),
        ({"counts": np.array([1.0, np.inf])}, "counts must be finite and positive"),
        ({"variances": np.array([[0.0, 0.0], [0.0, -1e-9]])}, "variances must not be negative, got -1e-09"),
        ({"centroids": np.zeros(2)}, "centroids must be a non-empty matrix"),
        ({"centroids": np.full((2, 2), np.nan)}, "centroids must be finite"),
        ({"more": np.zeros(1)}, r"needs arrays \['centroids', 'counts', 'variances'\], got .*'more'"),
    ],
)
def test_from_arrays_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        QuantizedSummary.from_arrays({**mixture([1, 2]).arrays(), **change})


def test_from_arrays_names_what_is_missing():
    with pytest.raises(ValueError, match=r"got \['centroids'\]"):
        QuantizedSummary.from_arrays({"centroids": np.zeros((1, 1))})
