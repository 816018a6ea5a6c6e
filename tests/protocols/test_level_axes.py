# SPDX-License-Identifier: Apache-2.0
"""Axes of levels among the public directions: where they stand, and that they cost no privacy."""

import numpy as np
import pytest

from tailweave.clients.features import fit_features
from tailweave.clients.samples import Samples
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.columns.levels import Category
from tailweave.protocols.kinds.columns.numbers import Number
from tailweave.protocols.kinds.features.plain import Identity, Standard
from tailweave.protocols.kinds.features.projections import Pca
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import cosine
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.references.sliced import summarise
from tailweave.protocols.streams import stream

SORT = Table.of({"x": Number(kind="number", optional=True), "c": Category(kind="category", levels=3)})
LEVELS = (1, 2, 3, 4)
SPACE = PublicSpace(np.zeros(5), 0.4, 7, levels=LEVELS)


def samples(count=60):
    return Samples.of(stream(0, "rows").normal(size=(count, 5)), sort=SORT)


def test_axes_stand_last_and_all_other_directions_are_as_without_them():
    found, plain = SPACE.directions(10), PublicSpace(np.zeros(5), 0.4, 7).directions(10)
    np.testing.assert_array_equal(found[-4:], np.eye(5)[1:])
    np.testing.assert_array_equal(found[:-4], plain[:-4])
    marked = PublicSpace(np.zeros(7), 0.4, 7, (1.0, 1.0), LEVELS).directions(10)
    np.testing.assert_array_equal(marked[-6:], np.eye(7)[1:])


def test_levels_that_would_take_more_than_half_get_no_axes():
    assert SPACE.levels_fit(8)
    assert not SPACE.levels_fit(7)
    np.testing.assert_array_equal(SPACE.directions(7), PublicSpace(np.zeros(5), 0.4, 7).directions(7))


@pytest.mark.parametrize(
    ("spec", "levels"),
    [
        (Identity(), LEVELS),
        (Standard(kind="standard"), LEVELS),
        (Identity(label_weight=1.0), LEVELS),
        (Pca(kind="pca", dimensions=3), ()),
    ],
)
def test_a_map_knows_which_features_are_levels_of_their_own(spec, levels):
    rows = samples()
    if spec.label_weight is not None:
        rows = Samples.of(rows.values, np.resize(["a", "b"], 60), SORT)
    found = fit_features(spec, rows, rows, rng=stream(0, "map"))
    assert found.levels == levels
    again = FeatureMap.from_arrays(found.arrays())
    assert again == found
    assert again.space(3).levels == levels


@pytest.mark.parametrize("levels", [[0.5], [3, 1], [1, 1], [5], [-1], [[1]], [2e6]])
def test_levels_of_a_map_are_checked(levels):
    parts = FeatureMap(np.zeros(5), np.eye(5), np.zeros(5), 1.0).arrays()
    with pytest.raises(ValueError, match="feature map levels must be"):
        FeatureMap.from_arrays({**parts, "levels": np.array(levels, dtype=float)})


def test_a_rare_levels_share_is_read_from_its_own_axis():
    """One row of 60 has level 2; where features are clipped by, the two places stay apart."""
    values = np.zeros((60, 5))
    values[:, 2] = UNIT
    values[7, 2:] = [0.0, 0.0, UNIT]
    spec = SlicedReference(kind="sliced", directions=16, coefficients=1)
    axis = SPACE.directions(16)[-1]
    here, elsewhere = (SPACE.project(np.array([[0, 0, 0, 0, x]]), axis[None], spec.range) for x in (UNIT, 0))
    sums = summarise(values, spec, SPACE).sums[-1, 0]
    one, none = np.cos(np.pi * here[0, 0]), np.cos(np.pi * elsewhere[0, 0])
    assert sums == pytest.approx(59 * none + one)
    assert abs(one - none) > 0.5


@pytest.mark.parametrize("levels", [(), LEVELS])
def test_one_row_moves_a_release_with_axes_by_no_more_than_the_sensitivity(levels):
    """The same noise on both sides leaves the row alone: an encoded one, ends of all clips, an absurd one."""
    spec = SlicedReference(kind="sliced", directions=12, coefficients=4)
    space, rows = PublicSpace(np.zeros(5), 0.4, 7, levels=levels), samples(100).values
    own = cosine.COUNT_WEIGHT * np.sqrt(12.0)
    ends = np.vstack([np.eye(5) * 1e6, -np.eye(5) * 1e6, np.full((1, 5), 1e90)])

    def released(some):
        found = cosine.privatise(some, spec, space, 0.5, noise=SeededNoise(np.random.default_rng(0)))
        return np.append(found.sums, own * found.count)

    before = released(rows)
    moved = [np.linalg.norm(released(np.vstack([rows, row])) - before) for row in (*rows[:3], *ends)]
    assert max(moved) <= cosine.sensitivity(spec) * (1 + 1e-9)
    assert max(moved) > 0.9 * cosine.cap(spec)
