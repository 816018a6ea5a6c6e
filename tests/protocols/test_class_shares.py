# SPDX-License-Identifier: Apache-2.0
"""Maps with a column a class, and how often each class is, read from a sketch."""

import numpy as np
import pytest

from tailweave.clients.samples import Samples
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.shares import class_shares
from tailweave.protocols.references.sliced import Sliced, aggregate, summarise
from tailweave.protocols.streams import stream

CLASSES = ("a", "b", "c")
MAP = FeatureMap(np.zeros(5), np.diag([1.0, 1.0, 2.0, 2.0, 2.0]), np.full(5, 0.3), 0.9, None, CLASSES)
SPACE = MAP.space(3)
OPTIONS = {
    "cosine": {"basis": "cosine", "coefficients": 6},
    "histogram": {"basis": "histogram", "bins": 32},
}


def samples(labels) -> Samples:
    return Samples.of(stream(0, "rows").normal(size=(len(labels), 2)), np.array(labels))


def test_a_sample_has_the_weight_in_the_column_of_its_own_class_alone():
    found = MAP(samples(["b", "z", "a"]))
    np.testing.assert_array_equal(found[:, 2:], [[0, 2, 0], [0, 0, 0], [2, 0, 0]])
    np.testing.assert_allclose(MAP.alike(samples(["b", "z", "a"])), found, atol=1e-12)
    assert MAP.columns == 2
    assert MAP.dimension == 5


def test_a_map_with_classes_comes_back_from_its_arrays_and_needs_labels():
    again = FeatureMap.from_arrays(MAP.arrays())
    assert again == MAP
    assert again.classes == CLASSES
    with pytest.raises(ValueError, match="needs samples with labels"):
        MAP(np.zeros((2, 2)))


@pytest.mark.parametrize("classes", [("a", "a"), ("a", "b", "c", "d", "e")])
def test_classes_differ_and_leave_a_column_for_inputs(classes):
    with pytest.raises(ValueError, match="classes must differ, and be fewer than its 5 columns"):
        FeatureMap(np.zeros(5), np.eye(5), np.zeros(5), 1.0, None, classes)


def test_the_last_directions_are_the_axes_of_the_classes():
    found = SPACE.directions(7)
    np.testing.assert_array_equal(found[-3:], np.eye(5)[-3:])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    plain = PublicSpace(SPACE.center, SPACE.scale, 3)
    np.testing.assert_array_equal(found[:4], plain.directions(7)[:4])
    with pytest.raises(ValueError, match="directions must be more than the 3 classes, got 3"):
        SPACE.directions(3)


@pytest.mark.parametrize("basis", OPTIONS)
def test_shares_are_read_from_a_sketch_exactly(basis):
    spec = SlicedReference(kind="sliced", directions=16, **OPTIONS[basis])
    rows = MAP(samples(["a"] * 30 + ["b"] * 50 + ["c"] * 20))
    woven = aggregate([summarise(rows, spec, SPACE)], spec)
    np.testing.assert_allclose(class_shares(Sliced(woven, spec, SPACE), SPACE), [0.3, 0.5, 0.2], atol=1e-9)


def test_noise_takes_no_share_to_zero():
    spec = SlicedReference(kind="sliced", directions=16, **OPTIONS["cosine"])
    rows = MAP(samples(["a"] * 30 + ["b"] * 70))
    woven = aggregate([summarise(rows, spec, SPACE)], spec)
    found = class_shares(Sliced(woven, spec, SPACE), SPACE)
    np.testing.assert_allclose(found[2], (0.1 / 3) / (1 + 0.1 / 3), rtol=1e-6)
    np.testing.assert_allclose(found.sum(), 1.0)


def test_shares_need_a_map_with_classes():
    spec = SlicedReference(kind="sliced", directions=16, **OPTIONS["cosine"])
    plain = PublicSpace(np.zeros(2), 1.0, 0)
    with pytest.raises(ValueError, match="shares of classes need features with label-weight"):
        class_shares(Sliced(np.zeros((16, 6)), spec, plain), plain)
