# SPDX-License-Identifier: Apache-2.0
"""Rows from Parquet: the numbers that went in, and a precise word where there are none."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import parquet

from tailweave.clients.data.tables import read_table
from tailweave.clients.samples import DataError


def read(tmp_path, columns: dict, label: str | None = None):
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), path)
    return read_table(path, label)


def test_known_answer(tmp_path):
    rows = read(tmp_path, {"a": [1, 300], "kind": ["x", "7"], "b": [-2.5, 0.0], "c": [True, False]}, "kind")
    assert rows.columns == ("a", "b", "c")
    assert rows.values.tolist() == [[1.0, -2.5, 1.0], [300.0, 0.0, 0.0]]
    assert rows.labels.tolist() == ["x", "7"]


def test_every_number_comes_back_exactly(tmp_path):
    values = np.random.default_rng(0).normal(size=(1000, 3)) * 10.0 ** np.arange(-150, 150, 100)
    path = tmp_path / "t.parquet"
    table = arrow.table({name: values[:, i] for i, name in enumerate("abc")})
    parquet.write_table(table, path, row_group_size=77)  # several chunks
    assert read_table(path, None).values.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    "labels",
    [
        arrow.array([3, 5]),
        arrow.array([3.0, 5.0]),
        arrow.array([Decimal(3), Decimal(5)]),
        arrow.array(["3", "5"]),
        arrow.array(["3", "5"], arrow.string_view()),
        arrow.array(["3", "5"]).dictionary_encode(),
    ],
)
def test_labels_are_text_whatever_they_were(tmp_path, labels):
    assert read(tmp_path, {"a": [1.0, 2.0], "k": labels}, "k").labels.tolist() == ["3", "5"]


@pytest.mark.parametrize(
    ("columns", "label", "said"),
    [
        (
            {"a": [1.0], "k": ["x"]},
            None,
            r"t\.parquet, row 0, column 'k': found 'x', (.|\n)*, name it in data.label",
        ),
        ({"a": [1.0, None]}, None, r"row 1, column 'a': found nothing, allowed: a finite number"),
        ({"a": [1.0, float("nan")]}, None, r"row 1, column 'a': found nan, allowed: a finite number"),
        ({"a": [1.0, float("-inf")]}, None, r"row 1, column 'a': found -inf"),
        ({"a": [1.0], "k": ["x"]}, "kind", "no column 'kind'; nearest: 'k'; known: a, k"),
        ({"a": [1.0, 2.0], "k": ["x", None]}, "k", "row 1, column 'k': found nothing, allowed: a label"),
        ({"a": [1.0, 2.0], "k": ["x", ""]}, "k", "row 1, column 'k': found an empty label"),
        ({"a": [1.0], "k": [0.5]}, "k", "column 'k', row 0: found 0.5, allowed: text or whole numbers"),
        (
            {"a": [1.0], "k": [[1]]},
            "k",
            "column 'k': found labels of list<.*, allowed: text or whole numbers",
        ),
        ({"a": [1.0], "b": ["x"], "k": ["x"]}, "k", "column 'b': found 'x', allowed: a finite number"),
        ({"k": ["x"]}, "k", "it has no numeric columns"),
        ({"a": arrow.array([], arrow.float64())}, None, "there are no rows"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, columns, label, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, columns, label)


def test_labels_of_truth_values_are_called_as_in_an_npz(tmp_path):
    rows = read(tmp_path, {"a": [1.0, 2.0], "k": [True, False]}, "k")
    assert rows.labels.tolist() == np.array([True, False]).astype(np.str_).tolist() == ["True", "False"]


def test_decimals_are_numbers(tmp_path):
    rows = read(tmp_path, {"price": [Decimal("1.25"), Decimal("-3.50")]})
    assert rows.values.tolist() == [[1.25], [-3.5]]


@pytest.mark.parametrize("name", [None, "patient"])
def test_a_data_frames_row_names_are_no_feature(tmp_path, name):
    """What pandas writes of a shuffled frame: the index is a column, noted as such beside the schema."""
    key = name or "__index_level_0__"
    plain = arrow.table({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    noted = plain.append_column(key, arrow.array([7, 3]))
    noted = noted.replace_schema_metadata({"pandas": json.dumps({"index_columns": [key], "columns": []})})
    parquet.write_table(noted, tmp_path / "t.parquet")
    rows = read_table(tmp_path / "t.parquet", None)
    assert rows.columns == ("a", "b")
    assert rows.values.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert read_table(tmp_path / "t.parquet", key).labels.tolist() == ["7", "3"]  # the owner knows better
    ranged = plain.replace_schema_metadata({"pandas": json.dumps({"index_columns": [{"kind": "range"}]})})
    parquet.write_table(ranged, tmp_path / "r.parquet")
    assert read_table(tmp_path / "r.parquet", None).columns == ("a", "b")


def test_two_columns_of_one_name(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.Table.from_arrays([arrow.array([1.0]), arrow.array([2.0])], ["a", "a"]), path)
    with pytest.raises(DataError, match="column names must differ, found twice: a"):
        read_table(path, None)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table at all"])
def test_a_file_that_is_no_parquet(tmp_path, content):
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read: "):
        read_table(tmp_path / "t.parquet", None)
