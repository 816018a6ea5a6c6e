# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.clients.data.classes import classes_of
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.scaling import standardized
from tailweave.clients.samples import DataError, Images, Numbers, Samples


def _rows(values, labels=None):
    return Samples.of(values, labels, Numbers(tuple(f"c{j}" for j in range(len(values[0])))))


def test_take_keeps_the_order_asked_for_and_pairs_labels_with_values():
    rows = _rows([[0, 0.5], [1, 1.5], [2, 2.5]], ["a", "b", "c"])
    taken = rows.take(np.array([2, 0]))
    assert len(rows) == 3
    assert len(taken) == 2
    assert taken.values.tolist() == [[2, 2.5], [0, 0.5]]
    assert taken.labels.tolist() == ["c", "a"]
    assert taken.columns == ("c0", "c1")
    assert _rows([[1.0]]).take(np.array([0])).labels is None


def test_rows_cannot_be_altered_but_the_callers_array_stays_writeable():
    values, labels = np.zeros((2, 1)), np.array(["a", "b"])
    rows = Samples.of(values, labels, Numbers(("c",)))
    with pytest.raises(ValueError, match="read-only"):
        rows.values[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        rows.labels[0] = "z"
    assert values.flags.writeable
    assert labels.flags.writeable


@pytest.mark.parametrize(
    ("values", "labels", "columns", "message"),
    [
        (np.zeros(3), None, ("a",), r"values must be a non-empty matrix .* shape \(3,\)"),
        (np.zeros((0, 2)), None, ("a", "b"), r"values must be a non-empty matrix .* shape \(0, 2\)"),
        (np.array([[0.0, np.nan]]), None, ("a", "b"), "values must be finite, got nan in column 1"),
        (np.zeros((2, 2)), None, ("a",), "columns must name all 2 columns, got 1 names"),
        (np.zeros((2, 1)), np.array(["a"]), ("a",), r"labels must have shape \(2,\), got \(1,\)"),
    ],
)
def test_rows_refuse_what_does_not_fit(values, labels, columns, message):
    with pytest.raises(DataError, match=message):
        Samples.of(values, labels, Numbers(columns))


def test_taking_nothing_is_refused():
    with pytest.raises(DataError, match="non-empty"):
        _rows([[1.0]]).take(np.array([], dtype=np.intp))


def test_classes_are_in_natural_order():
    labels = ["10", "2", "b1", "a10", "a9", "2", "01", "1"]
    assert classes_of(_rows(np.zeros((8, 1)), labels), "x") == ("01", "1", "2", "10", "a9", "a10", "b1")


def test_classes_need_labels():
    with pytest.raises(DataError, match="partition by-class needs labels.*data.label"):
        classes_of(_rows([[1.0]]), "partition by-class")


def test_unknown_name_gives_nearest_and_known():
    message = unknown_name("column", "specis", ["width", "species"])
    assert message == "no column 'specis'; nearest: 'species'; known: width, species"
    many = unknown_name("column", "c7x", [f"c{j}" for j in range(50)])
    assert "nearest: 'c7'" in many
    assert many.endswith("c19, ... (50 in all)")
    assert unknown_name("array", "x", []) == "no array 'x'; there are none"


def test_standardized_has_zero_mean_and_unit_variance_and_keeps_constants_at_zero():
    x = np.random.default_rng(0).normal(3.0, 5.0, (50, 3))
    x[:, 1] = 0.1  # whose mean over 50 rows is not exactly 0.1 in floats
    scaled = standardized(_rows(x, ["a"] * 50))
    assert (scaled.values[:, 1] == 0.0).all()
    # Rounding of 50 terms of size 1.
    np.testing.assert_allclose(scaled.values.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(scaled.values.std(axis=0), [1, 0, 1], rtol=1e-13)
    np.testing.assert_allclose(scaled.values[:, 0], (x[:, 0] - x[:, 0].mean()) / x[:, 0].std(), rtol=1e-12)
    assert scaled.labels.tolist() == ["a"] * 50
    assert (standardized(_rows([[7.0, 8.0]])).values == 0.0).all()


@pytest.mark.parametrize("size", [1e308, 1e200, 1e-200])
def test_a_column_whose_variance_leaves_float64_is_refused(size):
    with pytest.raises(DataError, match="column 'c1' must have a standard deviation"):
        standardized(_rows([[1, size], [2, -size], [3, size]]))


def test_joined_samples_keep_their_order_and_when_they_were_born():
    real, drawn = _rows([[0.0, 1.0]], ["a"]), _rows([[2.0, 3.0], [4.0, 5.0]]).born_in(3)
    both = Samples.joined([real, drawn])
    assert np.array_equal(both, [[0, 1], [2, 3], [4, 5]])
    assert both.born.tolist() == [0, 3, 3]
    assert both.labels is None  # a part has none
    assert Samples.joined([real, real]).labels.tolist() == ["a", "a"]
    assert both.take(np.array([2, 0])).born.tolist() == [3, 0]


@pytest.mark.parametrize("labels", [None, ["ä", "b"]])
def test_samples_come_back_from_what_is_kept_of_them(labels):
    sort = Images(("p", "q"), shape=(1, 1, 2))
    kept = Samples.of([[0.0, 1.0], [2.0, 3.0]], labels, sort).born_in(2)
    again = Samples.from_arrays(kept.arrays(), sort)
    assert np.array_equal(again, kept)
    assert again.born.tolist() == [2, 2]
    assert again.image == (1, 1, 2)
    assert (again.labels is None) if labels is None else (again.labels.tolist() == labels)


def test_equal_samples_are_judged_by_their_values():
    assert _rows([[0.1, 0.2]] * 3).all_equal
    assert not _rows([[0.1, 0.2], [0.1, 0.2 + 1e-16 * 4]]).all_equal


def test_a_row_that_is_no_image_of_the_shape_is_refused():
    with pytest.raises(DataError, match=r"image \(1, 2, 2\) does not fit rows of 2 columns"):
        Samples.of([[0.0, 1.0]], None, Images(("p", "q"), shape=(1, 2, 2)))
