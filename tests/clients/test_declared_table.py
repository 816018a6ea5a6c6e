# SPDX-License-Identifier: Apache-2.0
"""Tables with declared columns: a cell is read as declared or refused by name, and comes back as it was."""

import datetime as dt
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from tailweave.clients.columns import Cells, read_column
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import DataError, Samples
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.config.columns import COLUMNS, digest_of, features_of
from tailweave.protocols.config.spec_file import validated
from tailweave.protocols.config.yaml_file import ConfigError
from tailweave.protocols.kinds.sources.table import TableData

DAY = dt.date(2024, 2, 29)
BLOCK = {
    "age": {"kind": "integer", "min": 0, "max": 120, "optional": True, "missing": [-999]},
    "weight": {"kind": "number", "center": 75, "scale": 20, "unit": "kg"},
    "sex": {"kind": "category", "values": ["m", "f"], "optional": True},
    "stage": {"kind": "category", "values": ["I", "II", "III"], "ordered": True, "optional": True},
    "ward": {"kind": "category", "levels": 3},
    "smoker": "boolean",
    "admitted": {"kind": "date", "min": "2020-01-01", "max": "2029-12-31"},
    "seen": {"kind": "datetime", "optional": True},
}
ROWS = {
    "age": [43, None, 0],
    "weight": [71.5, 88.25, -3.0],
    "sex": ["m", "f", None],
    "stage": ["I", None, "III"],
    "ward": [0, 2, 1],
    "smoker": [False, True, False],
    "admitted": [DAY, dt.date(2020, 1, 1), dt.date(2029, 12, 31)],
    "seen": [dt.datetime(1812, 5, 1, 12, 30, 15, 250_000), None, dt.datetime(9999, 1, 1)],
}


def spec(path="x.csv", columns=None, **more):
    block = {"source": "csv", "path": str(path), "columns": BLOCK if columns is None else columns, **more}
    return validated(block, TableData, "e.yaml")


def load(*args, **more):
    rows, _ = load_rows(spec(*args, **more), seed=0)
    return rows


def written(folder, *lines, name="x.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


CSV = (
    "age,weight,sex,stage,ward,smoker,admitted,seen",
    "43,71.5,m,I,0,no,2024-02-29,1812-05-01 12:30:15.25",
    "-999,88.25,f,,2,Yes,2020-01-01,",
    "0,-3,,III,1,F,2029-12-31,9999-01-01",
)


def test_a_file_is_read_as_declared_and_comes_back_in_its_own_columns_and_types(tmp_path):
    rows = load(written(tmp_path, *CSV))
    assert rows.sort.decoded(rows).to_pydict() == ROWS
    assert rows.columns[:6] == ("age", "age:missing", "weight", "sex=m", "sex=f", "sex:missing")
    np.testing.assert_allclose(rows.values[:, 2], (np.array([71.5, 88.25, -3.0]) - 75) / 20)
    np.testing.assert_allclose(rows.values[0, :2], [(43 - 60) / (120 / math.sqrt(12)), 0])
    np.testing.assert_array_equal(rows.values[1, :2], [0.0, 1.0])  # missing: at the centre, and said
    np.testing.assert_array_equal(rows.values[2, 3:6], [0.0, 0.0, UNIT])


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_a_files_own_types_give_the_same_rows_as_text(tmp_path, form):
    typed = pa.table(ROWS)
    coded = {"sex": typed["sex"].dictionary_encode(), "weight": typed["weight"].cast(pa.decimal128(10, 2))}
    coded |= {
        "age": typed["age"].cast(pa.float64()).fill_null(math.nan),
        "ward": typed["ward"].cast(pa.float32()),
    }
    table = pa.table({name: coded.get(name, typed[name]) for name in reversed(typed.column_names)})
    path = tmp_path / f"x.{form}"
    {"parquet": parquet.write_table, "feather": feather.write_feather}[form](table, path)
    found = load(path, source=form)
    np.testing.assert_array_equal(found.values, load(written(tmp_path, *CSV)).values)


def test_rows_are_written_as_text_that_is_read_back(tmp_path):
    block = {
        **BLOCK,
        "smoker": {"kind": "boolean", "values": ["nein", "ja"]},
        "admitted": {"kind": "date", "format": "%d.%m.%Y"},
        "age": {**BLOCK["age"], "missing": [-999]},
    }
    lines = [line.replace(",no,", ",nein,").replace(",F,", ",nein,").replace(",Yes,", ",ja,") for line in CSV]
    for day in ("2024-02-29", "2020-01-01", "2029-12-31"):
        lines = [line.replace(day, ".".join(reversed(day.split("-")))) for line in lines]
    rows = load(written(tmp_path, *lines), columns=block, missing=["", "NA"])
    texts = rows.sort.worded(rows.values)
    assert texts["smoker"].to_pylist() == ["nein", "ja", "nein"]
    assert texts["admitted"].to_pylist()[0] == "29.02.2024"
    assert texts["age"].to_pylist() == ["43", "-999", "0"]
    assert texts["stage"].to_pylist()[1] == ""
    cells = [texts.column_names, *zip(*texts.to_pydict().values(), strict=True)]
    again = load(written(tmp_path, *map(",".join, cells)), columns=block, missing=["", "NA"])
    np.testing.assert_allclose(again.values, rows.values, rtol=1e-14)


def test_counted_levels_may_be_written_as_a_frame_with_gaps_writes_them(tmp_path):
    block = {"c": {"kind": "category", "levels": 3, "optional": True}}
    rows = load(written(tmp_path, "c,i", "2.0,", "0.0,", '"",'), columns={**block, "i": "ignore"})
    assert rows.sort.decoded(rows)["c"].to_pylist() == [2, 0, None]


def test_cells_that_are_lists_are_refused_and_not_read_where_ignored(tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": [[1], [2]], "x": [1.0, 2.0]}), path)
    with pytest.raises(
        DataError, match="column 'a': 2 cells, the first in row 0: .*allowed: a finite number"
    ):
        load(path, source="parquet", columns={"a": "number", "x": "number"})
    assert load(path, source="parquet", columns={"a": "ignore", "x": "number"}).values.tolist() == [[1], [2]]


CELL = {
    "age": st.none() | st.integers(0, 120),
    "weight": st.floats(-1e6, 1e6),
    "sex": st.sampled_from([None, "m", "f"]),
    "stage": st.sampled_from([None, "I", "II", "III"]),
    "ward": st.integers(0, 2),
    "smoker": st.booleans(),
    "admitted": st.dates(dt.date(2020, 1, 1), dt.date(2029, 12, 31)),
    "seen": st.none()
    | st.datetimes().map(lambda when: when.replace(microsecond=when.microsecond // 1000 * 1000)),
}
TYPES = {"age": pa.int64(), "sex": pa.string(), "stage": pa.string(), "seen": pa.timestamp("ms")}
SORT = Table.of(features_of(spec().columns, None))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(CELL), min_size=1, max_size=6))
def test_what_is_encoded_is_decoded(rows):
    cells = {name: pa.array([row[name] for row in rows], TYPES.get(name)) for name in BLOCK}
    read = [read_column(kind, Cells(pa.chunked_array([cells[name]])), ("",)) for name, kind in SORT.declared]
    assert not any(column.bad.any() for column in read)
    samples = Samples.of(SORT.encoded(read), sort=SORT)
    found = SORT.decoded(samples).to_pydict()
    # scaling there and back rounds twice: a few units in the last place of 1e6, in units of 20
    np.testing.assert_allclose(found.pop("weight"), cells.pop("weight").to_pylist(), rtol=1e-14, atol=1e-10)
    assert found == {name: column.to_pylist() for name, column in cells.items()}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0, 1e12]))
def test_any_numbers_settle_to_valid_rows_and_those_stay_bit_by_bit(seed, spread):
    draws = np.random.default_rng(seed).normal(size=(5, len(SORT.columns))) * spread
    samples = Samples.of(draws, sort=SORT)
    assert SORT.settled(samples.values).tobytes() == samples.values.tobytes()
    table = SORT.decoded(samples)
    for name, kind in SORT.declared:
        assert not read_column(kind, Cells(table[name]), ()).bad.any(), name
    for block in SORT.blocks:
        part = samples.values[:, block.start : block.stop]
        assert set(part.ravel()) <= {0.0, block.unit}
        assert (part.astype(bool).sum(axis=1) <= 1).all()
        assert not block.whole or (part.max(axis=1) == block.unit).all()


def test_settled_is_nearest():
    """Against a search over all valid rows of a small sort."""
    small = {"n": {"kind": "integer", "min": 1, "max": 3}, "c": {"kind": "category", "levels": 3}}
    sort = Table.of(features_of(spec(columns=small).columns, None))
    valid = np.array(
        [[n - 2, *(UNIT * (np.arange(3) == at))] for n in (1, 2, 3) for at in range(3)], dtype=float
    )
    valid[:, 0] /= 2 / math.sqrt(12)
    draws = np.random.default_rng(3).normal(size=(200, 4))
    nearest = valid[((draws[:, None] - valid) ** 2).sum(axis=2).argmin(axis=1)]
    np.testing.assert_allclose(sort.settled(draws), nearest, atol=1e-15)


def test_two_levels_are_at_distance_one_and_blocks_are_named():
    values = Samples.of(np.eye(len(SORT.columns)), sort=SORT).values
    sex = [level for level in SORT.levels if level.column == "sex"]
    assert [(level.level, SORT.columns[level.place]) for level in sex] == [
        ("m", "sex=m"),
        ("f", "sex=f"),
        ("missing", "sex:missing"),
    ]
    one, other = (values[level.place, sex[0].place : sex[-1].place + 1] for level in sex[:2])
    assert math.isclose(np.linalg.norm(one - other), 1.0)


def test_bad_cells_of_all_columns_are_told_at_once_with_line_and_what_is_allowed(tmp_path):
    lines = [
        "43,71.5,x,IV,0,no,2024-02-30,",
        "121,1e200,m,I,3,perhaps,2019-12-31,yesterday",
        ",,m,I,,no,2024-01-01 10:00,",
    ]
    with pytest.raises(DataError) as caught:
        load(written(tmp_path, CSV[0], *lines))
    told = str(caught.value).splitlines()
    assert "8 columns have cells" in told[0]
    assert told[1:] == [
        "column 'age': 1 cell in line 3: found '121', allowed: a whole number from 0 to 120, or missing",
        "column 'weight': 2 cells, the first in line 3: found '1e200', allowed: a finite number",
        "column 'sex': 1 cell in line 2: found 'x', allowed: m, f, or missing",
        "column 'stage': 1 cell in line 2: found 'IV', allowed: I, II, III, or missing",
        "column 'ward': 2 cells, the first in line 3: found '3', allowed: a whole number from 0 to 2",
        "column 'smoker': 1 cell in line 3: found 'perhaps', allowed: false/true, no/yes, f/t, n/y, 0/1",
        "column 'admitted': 3 cells, the first in line 2: found '2024-02-30', allowed: a date as YYYY-MM-DD, "
        "from 2020-01-01 to 2029-12-31",
        "column 'seen': 1 cell in line 3: found 'yesterday', allowed: a datetime as YYYY-MM-DD HH:MM:SS, or "
        "missing",
    ]


def test_columns_that_are_not_declared_or_not_there_are_all_named(tmp_path):
    path = written(tmp_path, ",id,weight", "0,7,1.5")
    with pytest.raises(DataError, match=r"not declared: '', 'id'; .*NAME: ignore; .*not there: 'age'"):
        load(path, columns={"weight": "number", "age": "integer"})
    assert load(path, columns={"weight": "number", "": "ignore", "id": "ignore"}).columns == ("weight",)


def test_labels_may_be_declared_and_groups_stand_beside_the_rows(tmp_path):
    path = written(tmp_path, "x;hospital;y", "1,5;north;b", "2,5;south;a", name="x.csv")
    block = {"x": "number", "hospital": "group"}
    rows = load(path, columns=block, label="y", delimiter=";", decimal=",")
    assert (rows.labels.tolist(), rows.groups.tolist()) == (["b", "a"], ["north", "south"])
    assert rows.take(np.array([1])).groups.tolist() == ["south"]
    assert rows.sort.decoded(rows).to_pydict() == {"x": [1.5, 2.5], "y": ["b", "a"]}
    with pytest.raises(DataError, match="column 'y': 1 cell in line 2: found 'b', allowed: a, c"):
        load(
            path,
            columns={**block, "y": {"kind": "category", "values": ["a", "c"]}},
            label="y",
            delimiter=";",
            decimal=",",
        )


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        ({"a": "numbr"}, {}, "columns.a: 'numbr' is unknown; did you mean 'number'?"),
        ({"a": {"kind": "integer", "mn": 1}}, {}, "columns.a.mn: unknown key; did you mean 'min'?"),
        ({"a": {"kind": "number", "min": 2, "max": 1}}, {}, "columns.a: min must be at most max, got 2"),
        ({"a": {"kind": "category"}}, {}, "columns.a: a category needs either values"),
        ({"a": {"kind": "category", "values": ["x", "x"]}}, {}, "found twice: x"),
        ({"a": {"kind": "date", "min": "1.2.2020"}}, {}, "columns.a.min: must be a date as YYYY-MM-DD"),
        ({"a": {"kind": "number", "missing": [-9]}}, {}, "columns.a: missing needs optional: true"),
        ({"a": "ignore"}, {}, "columns must declare at least one column that is part of a sample"),
        ({"a": "number", "b": "group", "c": "group"}, {}, "at most one column may be a group, got b, c"),
        ({"a": {"kind": "category", "values": ["x"]}, "a=x": "number"}, {}, "under one name: a=x"),
        ({"": "number"}, {}, "a column without a name can only be ignored"),
        ({"a": "number"}, {"standardize": True}, "columns bring their own units: remove standardize"),
        ({"a": "number", "y": "number"}, {"label": "y"}, "columns.y: the label must be a category"),
        (
            {"a": {"kind": "category", "values": ["NA", "EU"], "optional": True}},
            {"missing": ["NA"]},
            "columns.a: 'NA' is one of its values and in data.missing",
        ),
    ],
)
def test_a_block_that_cannot_be_is_refused_by_key(columns, more, said):
    with pytest.raises(ConfigError, match=said):
        spec(columns=columns, **more)


def test_a_block_is_written_as_short_as_it_was_and_reads_back():
    found = spec().model_dump(mode="json", by_alias=True)
    assert found["columns"]["smoker"] == "boolean"
    assert spec(**{**found, "path": "x.csv"}) == spec()
    assert hash(spec()) == hash(spec())


def test_how_a_file_is_written_is_a_silos_own_and_all_else_is_agreed():
    def digest(**more):
        return digest_of(
            features_of(spec(columns={"a": {"kind": "date", **more}, "i": "ignore"}).columns, None)
        )

    plain = digest()
    assert digest(format="%d.%m.%Y") == plain
    assert digest(max="2020-01-01") != plain
    assert digest(optional=True, missing=["-"]) == digest(optional=True) != plain


def test_every_kind_is_read_and_written_here():
    assert set(COLUMNS.kinds) == {
        kind if isinstance(kind, str) else kind["kind"] for kind in BLOCK.values()
    } | {
        "group",
        "ignore",
    }


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [(["-999.0", "1.5"], "."), (["-999", "1.5"], "."), (["-999,00", "1,5"], ","), (None, "")],
)
def test_a_number_that_means_missing_does_however_it_is_written(tmp_path, cells, decimal):
    block = {
        "x": {"kind": "number", "optional": True, "missing": [-999]},
        "c": {"kind": "category", "values": ["-999.0", "b"]},
    }
    if cells is None:
        parquet.write_table(pa.table({"x": [-999.0, 1.5], "c": ["-999.0", "b"]}), tmp_path / "x.parquet")
        rows = load(tmp_path / "x.parquet", columns=block, source="parquet")
    else:
        path = written(tmp_path, "x;c", f"{cells[0]};-999.0", f"{cells[1]};b")
        rows = load(path, columns=block, delimiter=";", decimal=decimal)
    assert rows.sort.decoded(rows).to_pydict() == {"x": [None, 1.5], "c": ["-999.0", "b"]}


def test_mistakes_in_a_table_of_tabs_stand_in_their_line(tmp_path):
    path = written(tmp_path, "a\tb", '"x\ny, z"\t1', '"u"\tv', name="x.tsv")
    with pytest.raises(DataError, match="column 'b': 1 cell in line 4: found 'v'"):
        load(path, columns={"a": "ignore", "b": "number"})


@pytest.mark.parametrize("text", ["", "NA", "?"])
def test_a_gap_is_missing_by_declaration_and_else_told_with_its_column(tmp_path, text):
    path = written(tmp_path, "u,v,y", "-0.4,3.8,c", f"3.5,{text},b")
    block = {"u": "number", "v": {"kind": "number", "optional": True}}
    rows = load(path, columns=block, label="y", missing=["", "NA", "?"])
    assert rows.sort.decoded(rows)["v"].to_pylist() == [3.8, None]
    with pytest.raises(DataError, match="column 'v': 1 cell in line 3: .*allowed: a finite number"):
        load(path, columns={"u": "number", "v": "number"}, label="y", missing=["", "NA", "?"])


def test_a_frames_index_is_no_column_and_labels_may_be_truth_values(tmp_path):
    """As pandas writes a frame whose rows are in another order than their numbers."""
    noted = {"index_columns": ["__index_level_0__"], "columns": [], "column_indexes": []}
    table = pa.table({"u": [0.5, 1.5], "y": [True, False], "__index_level_0__": [48, 94]})
    path = tmp_path / "x.parquet"
    parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(noted)}), path)
    rows = load(path, source="parquet", columns={"u": "number"}, label="y")
    assert (rows.columns, rows.values.tolist()) == (("u",), [[0.5], [1.5]])
    assert len(set(rows.labels)) == 2


def test_a_gap_among_dates_that_are_text_is_missing(tmp_path):
    parquet.write_table(pa.table({"d": ["2024-01-31", None, "2024-02-01"]}), tmp_path / "d.parquet")
    rows = load(tmp_path / "d.parquet", source="parquet", columns={"d": {"kind": "date", "optional": True}})
    assert [str(day) for day in rows.sort.decoded(rows)["d"].to_pylist()] == [
        "2024-01-31",
        "None",
        "2024-02-01",
    ]


def test_row_names_of_a_data_frame_are_read_where_they_are_declared(tmp_path):
    noted = {b"pandas": b'{"index_columns": ["s"], "columns": [], "column_indexes": []}'}
    table = pa.table({"x": [1.0, 2.0], "s": ["a", "b"]}).replace_schema_metadata(noted)
    parquet.write_table(table, tmp_path / "s.parquet")
    rows = load(tmp_path / "s.parquet", source="parquet", columns={"x": "number"}, label="s")
    assert rows.labels.tolist() == ["a", "b"]


def test_a_level_called_missing_is_refused_where_cells_may_lack(tmp_path):
    block = {"w": {"kind": "category", "values": ["a", "missing"], "optional": True}}
    with pytest.raises(ValueError, match="call the value otherwise"):
        load(written(tmp_path, "w", "a", "missing"), columns=block)
