# SPDX-License-Identifier: Apache-2.0
"""The feature maps against scikit-learn's own transforms, and what is refused."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tailweave.clients.features import fit_features
from tailweave.clients.samples import Samples
from tailweave.protocols.config.features import FeaturesSpec
from tailweave.protocols.streams import stream


@pytest.fixture
def samples() -> np.ndarray:
    return stream(1, "rows").normal(size=(300, 5)) @ np.diag([5.0, 3.0, 2.0, 1.0, 0.5]) + 7.0


def fit(kind: str, rows: np.ndarray, dimensions: int | None = None, seed: int = 0):
    options = {"kind": kind} | ({} if dimensions is None else {"dimensions": dimensions})
    spec = TypeAdapter(FeaturesSpec).validate_python(options)
    return fit_features(spec, Samples.of(rows), rng=stream(seed, "features"))


def test_identity_returns_the_rows_themselves(samples):
    assert np.array_equal(fit("identity", samples)(samples), samples)


def test_standard_is_scikit_learns_standard_scaler(samples):
    # Sums of 300 float64 in two orders differ by less than 300 eps of values below 30.
    np.testing.assert_allclose(
        fit("standard", samples)(samples), StandardScaler().fit_transform(samples), atol=1e-11
    )


def test_standard_leaves_a_constant_column_at_zero():
    rows = np.column_stack([np.full(50, 3.0), np.linspace(-1, 1, 50)])
    mapped = fit("standard", rows)(rows)
    assert np.array_equal(mapped[:, 0], np.zeros(50))
    assert mapped[:, 1].std() == pytest.approx(1.0)


@pytest.mark.parametrize("dimensions", [1, 3, 5])
def test_pca_is_scikit_learns_projection(samples, dimensions):
    expected = PCA(dimensions, svd_solver="full").fit_transform(samples)
    np.testing.assert_allclose(fit("pca", samples, dimensions)(samples), expected, atol=1e-11)


def test_pca_finds_the_axes_with_most_variance(samples):
    weights = fit("pca", samples, 2).weights
    values, vectors = np.linalg.eigh(np.cov(samples.T))
    for column, vector in enumerate(vectors[:, np.argsort(values)[::-1][:2]].T):
        assert abs(weights[:, column] @ vector) == pytest.approx(1.0, abs=1e-10)


def test_random_projection_keeps_squared_lengths_on_average():
    rows = stream(2, "rows").normal(size=(200, 400))
    mapped = fit("random-projection", rows, 300)(rows)
    ratio = (mapped**2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    # E = 1; the 300 projected coordinates vary as chi-square: sd <= sqrt(2 / 300), 5 sd: alarm 6e-7.
    assert abs(ratio - 1.0) < 5 * np.sqrt(2 / 300)


def test_random_projection_depends_on_its_stream_only(samples):
    one, same, other = (fit("random-projection", samples, 3, seed).weights for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(("kind", "dimensions"), [("identity", None), ("standard", None), ("pca", 2)])
def test_center_and_scale_are_those_of_the_mapped_samples(samples, kind, dimensions):
    features = fit(kind, samples, dimensions)
    mapped = features(samples)
    np.testing.assert_allclose(features.center, mapped.mean(axis=0), atol=1e-12)
    assert features.scale == pytest.approx(np.sqrt(mapped.var(axis=0).mean()), rel=1e-12)


@pytest.mark.parametrize("kind", ["pca", "random-projection"])
def test_more_dimensions_than_columns_are_refused(samples, kind):
    with pytest.raises(ValueError, match=r"features.dimensions .* number of columns \(5\), got 6"):
        fit(kind, samples, 6)


def test_samples_without_spread_are_refused():
    with pytest.raises(ValueError, match="no spread to scale by"):
        fit("identity", np.ones((10, 2)))


def test_samples_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="values must be finite, got nan in column 1"):
        fit("identity", np.array([[0.0, np.nan], [1.0, 2.0]]))


def test_a_constant_column_whose_mean_misses_it_is_left_at_zero():
    rows = np.column_stack([np.full(48, 0.1), np.linspace(-1, 1, 48)])
    assert rows[:, 0].std() > 0.0  # 1.4e-17, which would have become the scale
    mapped = fit("standard", rows)(rows)
    assert np.array_equal(mapped[:, 0], np.zeros(48))


@pytest.mark.parametrize(("kind", "dimensions"), [("pca", 2), ("standard", None), ("random-projection", 3)])
@pytest.mark.parametrize("count", [2, 3, 5, 17, 48, 1001])
def test_equal_samples_are_refused_however_a_product_rounds_them(kind, dimensions, count):
    rows = np.tile(stream(3, "row").normal(size=64), (count, 1))
    with pytest.raises(ValueError, match="public samples must not all be equal"):
        fit(kind, rows, dimensions)


def test_samples_that_the_map_makes_equal_have_no_scale():
    rows = np.full((10, 2), 1e9)
    rows[0] += 1e-7  # the spacing of float64 there
    with pytest.raises(ValueError, match="must not all have equal features"):
        fit("identity", rows)


@pytest.mark.parametrize(("spread", "counts"), [(0.0, False), (1e-4, False), (0.1, True), (1.0, True)])
def test_a_column_that_varies_in_the_samples_alone_counts_nothing(spread, counts):
    draws = stream(0, "rows").normal(size=(500, 3))
    rows = draws * [1.0, spread, 1.0] + [0.0, 3.0, 0.0]
    ridge = np.array([0.0, 0.03, 0.0])  # what a generator's ridge of 1e-3 adds to the column
    samples = rows + ridge * stream(0, "noise").normal(size=rows.shape)
    spec = TypeAdapter(FeaturesSpec).validate_python("standard")
    features = fit_features(spec, Samples.of(samples), Samples.of(rows), rng=stream(0, "features"))
    assert (features(rows).std(axis=0) > 0.5).tolist() == [True, counts, True]
    assert (features(samples).std(axis=0) > 0.5).tolist() == [True, counts, True]
    as_they_are = fit_features(spec, Samples.of(samples), rng=stream(0, "features"))
    assert (as_they_are(samples).std(axis=0) > 0.5).all()
