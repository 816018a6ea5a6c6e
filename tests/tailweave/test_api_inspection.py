# SPDX-License-Identifier: Apache-2.0
"""The Python API on tables: files and data frames in, a block of YAML out."""

import json

import pyarrow
import pytest
import yaml

import tailweave
from tailweave.rows import as_rows

TABLE = pyarrow.table(
    {
        "a": [1.5, 2.5, 4.0, 7.0],
        "k": pyarrow.array(["x", "y", "x", "y"]).dictionary_encode(),
        "t": pyarrow.array(["u", "v", "u", "v"], pyarrow.string_view()),
        "p": pyarrow.DictionaryArray.from_arrays(
            [0, 1, 0, 1], pyarrow.array(["u", "v"], pyarrow.string_view())
        ),
        "index": [3, 1, 2, 9],
    }
)


class Exporting:
    """A data frame that exports an Arrow stream and no more, as newer ones do."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table, self.columns = table, table.column_names

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def test_a_frame_gets_the_block_of_its_columns():
    noted = TABLE.replace_schema_metadata({"pandas": json.dumps({"index_columns": ["index"]})})
    block = yaml.safe_load(tailweave.inspect(Exporting(noted), label="t"))["data"]
    assert block["label"] == "t"
    assert {name: spec["kind"] for name, spec in block["columns"].items()} == {
        "a": "number",
        "k": "category",
        "p": "category",
    }


def test_a_file_may_be_text_and_a_frame_of_numbers_is_rows(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1.5,v\n2,w\n4,v\n5,w\n")
    assert "b: {kind: category, values: [v, w]}" in tailweave.inspect(str(tmp_path / "t.csv"))
    assert as_rows(Exporting(TABLE.select(["a", "index"])), "rows").tolist()[1] == [2.5, 1.0]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([1, 2], "table must be a path or a data frame, got list"),
        (Exporting(pyarrow.Table.from_arrays([[1], [2]], ["a", "a"])), "found twice: a"),
        (Exporting(TABLE.slice(0, 0)), "Exporting: there are no rows"),
    ],
)
def test_what_is_no_table_is_refused(table, said):
    with pytest.raises(ValueError, match=said):
        tailweave.inspect(table)
