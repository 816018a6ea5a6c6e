# SPDX-License-Identifier: Apache-2.0
"""Tests of tailweave.protocols.features; the name keeps clear of tests/clients/test_features.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.features import FeatureMap, PublicSpace

RNG = np.random.default_rng(0)


def affine(p=3, d=2, scale=2.0):
    rng = np.random.default_rng(p * 10 + d)
    return FeatureMap(rng.standard_normal(p), rng.standard_normal((p, d)), rng.standard_normal(d), scale)


def test_map_known_answer():
    features = FeatureMap(np.array([1.0, 2.0]), np.array([[2.0], [10.0]]), np.zeros(1), 1.0)
    assert features([[1, 2], [2, 3]]).tolist() == [[0.0], [12.0]]
    assert (features.columns, features.dimension) == (2, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 4)), "rows must have 3 columns, got 4"),
        ([[0.0, np.nan, 0.0]], "rows must be finite, got nan in column 1"),
        (np.zeros(3), "rows must be a non-empty matrix"),
    ],
)
def test_map_refuses_rows(rows, message):
    with pytest.raises(ValueError, match=message):
        affine()(rows)


def test_wire_arrays_round_trip_to_an_equal_map():
    features = affine()
    back = FeatureMap.from_arrays(features.arrays())
    assert back == features
    assert hash(back) == hash(features)
    assert all(a.dtype == np.float64 for a in features.arrays().values())


@pytest.mark.parametrize("part", ["offset", "weights", "center", "scale"])
def test_maps_differ_when_a_part_does(part):
    features = affine()
    arrays = {name: array.copy() for name, array in features.arrays().items()}
    arrays[part].flat[-1] += 0.5
    assert FeatureMap.from_arrays(arrays) != features
    assert features != "a map"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offset": np.zeros(2)}, r"parts disagree: offset \(2,\), weights \(3, 2\), center \(2,\)"),
        ({"center": np.zeros(3)}, r"parts disagree: .* center \(3,\)"),
        ({"offset": np.zeros((3, 1))}, "parts disagree"),
        ({"weights": np.zeros(3)}, "feature weights must be a non-empty matrix"),
        ({"weights": np.full((3, 2), np.inf)}, "feature weights must be finite, got inf"),
        ({"offset": np.array([0, np.nan, 0])}, "offset and center must be finite"),
        ({"center": np.array([0, np.inf])}, "offset and center must be finite"),
        ({"scale": np.array([0.0])}, "scale must be positive, got 0.0"),
        ({"scale": np.array([-1.0])}, "scale must be positive, got -1.0"),
        ({"scale": np.array([np.inf])}, "scale must be positive, got inf"),
        ({"scale": np.array([np.nan])}, "scale must be positive, got nan"),
        ({"scale": np.ones(2)}, r"scale must have shape \(1,\), got \(2,\)"),
        ({"scale": np.array(1.0)}, r"scale must have shape \(1,\), got \(\)"),
    ],
)
def test_from_arrays_refuses_parts_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        FeatureMap.from_arrays({**affine().arrays(), **change})


def test_from_arrays_names_what_is_missing():
    with pytest.raises(ValueError, match="feature map lacks weights, scale"):
        FeatureMap.from_arrays({"offset": np.zeros(3), "center": np.zeros(2)})


def test_space_carries_the_public_constants():
    features = affine(scale=3.0)
    space = features.space(5)
    assert (space.dimension, space.scale, space.seed) == (2, 3.0, 5)
    assert space.center is features.center


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_directions_are_unit_vectors_that_both_ends_derive(dimension, count, seed):
    one, other = (PublicSpace(np.zeros(dimension), 1.0, seed) for _ in range(2))
    found = one.directions(count)
    assert found.shape == (count, dimension)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-14)  # a few roundings
    assert found.tobytes() == other.directions(count).tobytes()


def test_directions_depend_on_seed_and_count():
    space = PublicSpace(np.zeros(3), 1.0, 0)
    assert not np.allclose(space.directions(4), PublicSpace(np.zeros(3), 1.0, 1).directions(4))
    assert not np.allclose(space.directions(4), space.directions(5)[:4])


def test_directions_are_uniform_on_the_sphere():
    d, count = 4, 20_000
    found = PublicSpace(np.zeros(d), 1.0, 3).directions(count)
    # Var theta_i^2 = 2(d-1) / (d^2 (d+2)), E theta_i^2 theta_j^2 = 1 / (d (d+2)), Var theta_i = 1/d;
    # 14 means at 6.5 standard errors: false-alarm rate below 2e-9 for uniform directions.
    k = 6.5 / np.sqrt(count)
    assert np.abs(found.mean(axis=0)).max() < k * np.sqrt(1 / d)
    second = found.T @ found / count - np.eye(d) / d
    assert np.abs(np.diag(second)).max() < k * np.sqrt(2 * (d - 1) / (d**2 * (d + 2)))
    assert np.abs(second[np.triu_indices(d, 1)]).max() < k * np.sqrt(1 / (d * (d + 2)))


def test_projection_known_answer_and_clipping():
    space = PublicSpace(np.array([1.0, 1.0]), 2.0, 0)
    points = np.array([[1.0, 1.0], [5.0, 1.0], [-3.0, 9.0], [100.0, -100.0]])
    found = space.project(points, np.eye(2), half_width=4.0)
    # (5 - 1) / scale 2 = 2 units of a half-width of 4: three quarters of the interval
    assert found.tolist() == [[0.5, 0.5], [0.75, 0.5], [0.25, 1.0], [1.0, 0.0]]


def test_one_unit_of_position_is_twice_the_half_width_in_feature_units():
    space = PublicSpace(RNG.standard_normal(3), 1.7, 0)
    a, b = RNG.standard_normal((2, 1, 3))
    directions = space.directions(6)
    gap = space.project(a, directions, 5.0) - space.project(b, directions, 5.0)
    np.testing.assert_allclose(gap * 2 * 5.0 * 1.7, (a - b) @ directions.T, atol=1e-13)
