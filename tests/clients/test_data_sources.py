# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn import datasets

from tailweave.clients.data.sources import load_rows
from tailweave.protocols.config.data import DataSpec


def _load(seed=0, **options):
    return load_rows(TypeAdapter(DataSpec).validate_python(options), seed=seed)[0]


def test_digits_are_in_the_unit_interval_with_text_labels():
    rows = _load(source="digits")
    bundle = datasets.load_digits()
    assert rows.values.shape == (1797, 64)
    assert (rows.values.min(), rows.values.max()) == (0.0, 1.0)
    assert (rows.values * 16 == bundle.data).all()
    assert rows.labels.tolist() == [str(digit) for digit in bundle.target]
    assert rows.columns[9] == "pixel_1_1"


@pytest.mark.parametrize(
    ("source", "shape", "labels"),
    [
        ("breast-cancer", (569, 30), ["benign", "malignant"]),
        ("wine", (178, 13), ["class_0", "class_1", "class_2"]),
    ],
)
def test_bundled_tables_have_unit_variance(source, shape, labels):
    rows = _load(source=source)
    assert rows.values.shape == shape
    # Float error of a mean of some hundred values of size one.
    np.testing.assert_allclose(rows.values.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(rows.values.std(axis=0), 1.0, rtol=1e-12)
    assert sorted(set(rows.labels.tolist())) == labels


def test_labels_are_those_of_the_rows():
    bundle = datasets.load_breast_cancer()
    assert (_load(source="breast-cancer").labels == "malignant").sum() == (bundle.target == 0).sum() == 212


def test_modes_are_the_same_and_rows_new_for_each_seed():
    first, again, other = (_load(seed, source="gaussian-modes", rows=2000) for seed in (0, 0, 1))
    assert (first.values == again.values).all()
    assert (first.values != other.values).any()
    means = [
        np.array([r.values[r.labels == f"mode-{j:02d}"].mean(axis=0) for j in range(10)])
        for r in (first, other)
    ]
    # Two means of 196 rows differ by a standard error of 0.1: one of 80 fails by chance with 4e-10.
    assert np.abs(means[0] - means[1]).max() < 0.7


def test_tables_are_standardized_if_asked(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,kind\n1,5,x\n3,5,y\n")
    assert _load(source="csv", path=str(path), label="kind").values.tolist() == [[-1, 0], [1, 0]]
    raw = _load(source="csv", path=str(path), label="kind", standardize=False)
    assert raw.values.tolist() == [[1, 5], [3, 5]]
    assert raw.labels.tolist() == ["x", "y"]


def test_source_and_file_ending_must_agree(tmp_path):
    with pytest.raises(ValueError, match=r"source: npz needs a path that ends in .npz, got t.csv"):
        _load(source="npz", path="t.csv")
