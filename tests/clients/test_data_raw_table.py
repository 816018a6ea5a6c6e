# SPDX-License-Identifier: Apache-2.0
"""Table files as they stand: text of a CSV, types of Parquet and Feather, and lines of what is wrong."""

import gzip

import numpy as np
import pyarrow as arrow
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from tailweave.clients.data.cell_numbers import cell_numbers
from tailweave.clients.data.csv_records import csv_records
from tailweave.clients.data.raw_table import raw_schema, read_raw
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import DataError
from tailweave.protocols.config.spec_file import validated
from tailweave.protocols.kinds.sources.table import TableData


def cells(folder, content, name="t.csv", **form):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_raw(folder / name, **form).to_pydict()


def test_thousands_parted_by_points_are_no_number_and_not_called_too_large(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1,5;2\n1.234,5;3\n1.234;4\n")
    spec = validated(
        {"source": "csv", "path": str(tmp_path / "t.csv"), "delimiter": ";", "decimal": ","}, TableData, "e"
    )
    with pytest.raises(DataError) as refused:
        load_rows(spec, seed=0)
    assert "found '1.234,5', allowed: a finite number, with ',' before decimals (2 of 3 cells)" in str(
        refused.value
    )
    assert "change their unit" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"\xef\xbb\xbfa, k \r\n 1 ,x\r\n\r\n", {"a": ["1"], "k": ["x"]}),
        ("a,k\r1,x\r2,y", {"a": ["1", "2"], "k": ["x", "y"]}),
        ('"a\nb",k\n1,"x ""q"",\n\ny"\n', {"a\nb": ["1"], "k": ['x "q",\n\ny']}),
        ('a,k\n1,5" wide\n', {"a": ["1"], "k": ['5" wide']}),
        (",k\n0,\n,NA\n", {"": ["0", ""], "k": ["", "NA"]}),
        ("体,重\n1,2\n", {"体": ["1"], "重": ["2"]}),
        ("a,k\n" + "x" * 200_000 + ",\n", {"a": ["x" * 200_000], "k": [""]}),
    ],
    ids=["bom", "old-mac", "quotes", "inch", "nameless", "wide", "long"],
)
def test_a_csv_is_text(tmp_path, content, found):
    assert cells(tmp_path, content) == found


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        ("a;b\n1,5;x y\n", "t.csv", {"delimiter": ";", "decimal": ","}),
        ("a\tb\n1,5\tx y\n", "t.csv", {"delimiter": "\t"}),
        ("a\tb\n1,5\tx y\n", "t.tsv", {}),
        (gzip.compress(b'a,b\n"1,5",x y\n', mtime=0), "t.csv.gz", {}),
    ],
)
def test_other_marks_and_endings(tmp_path, content, name, form):
    assert cells(tmp_path, content, name, **form) == {"a": ["1,5"], "b": ["x y"]}


def test_a_record_may_be_longer_than_a_block(tmp_path):
    content = "x" * (2**24 + 1)
    assert cells(tmp_path, f"a,b\n1,{content}\n") == {"a": ["1"], "b": [content]}


def test_empty_cells_between_tabs_are_no_blank_end(tmp_path):
    assert cells(tmp_path, "a\tb\tc\n1\t\t\n\n", "t.tsv") == {"a": ["1"], "b": [""], "c": [""]}


@settings(max_examples=100, deadline=None)
@example([["", "\n\r", ""]])
@example([["", '"'], ['"']])
@example([[',"\r', '"']])
@example([["", ""], ['" "']])
@example([["1\x1c", "2"]])
@given(
    st.lists(
        st.lists(st.text(st.sampled_from('a1 ,"\n\r\té'), max_size=4), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_read_is_what_pythons_own_reader_reads_or_both_refuse(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes("\n".join(["x,y", *(",".join(row) for row in rows)]).encode())
    try:
        slow = [row for _, row in csv_records(path)]
        slow = None if any(len(row) != 2 for row in slow) else slow[1:] or None
    except DataError:
        slow = None
    try:
        fast = [list(row.values()) for row in read_raw(path).to_pylist()]
    except DataError:
        fast = None
    assert fast == slow


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('a,b\n1,"2"x\n', "line 2: not a comma-separated table: ',' expected after"),
        ('a,b\n1,2\n3,"4\n5,6\n', "not a comma-separated table: unexpected end"),
        ("a,b\n1,2\n3,4,5\n", "line 3: found 3 cells, the header has 2"),
        ("a|b\n1|2\n", r"columns must be separated by commas, or say data.delimiter: '\|'"),
        (b"a,b\n1,2\n3,\xfc\n", "line 3: found bytes that are not UTF-8; .*`iconv -f WINDOWS-1252 -t UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: found bytes that are not UTF-8; .* UTF-16"),
        (b"a\0,\0b\0\n\0001\0,\0002\0\n\0", "line 1: .* UTF-16"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path, content, said):
    with pytest.raises(DataError, match=said):
        cells(tmp_path, content)


def test_a_file_that_is_cut_off_or_not_packed(tmp_path):
    for content in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n" * 999)[:-9]):
        with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read: "):
            cells(tmp_path, content, "t.csv.gz")


@pytest.mark.parametrize("write", [parquet.write_table, feather.write_feather])
def test_types_of_a_file_stay_and_text_is_plain(tmp_path, write):
    words = arrow.array(["x", None, "x"])
    table = arrow.table(
        {
            "i": arrow.array([1, None, 3], "int32"),
            "d": arrow.array([1, 2, 3], "date32"),
            "t": words.cast("large_string"),
            "k": words.dictionary_encode(),
            "b": [True, False, None],
        }
    )
    path = tmp_path / f"t.{'feather' if write is feather.write_feather else 'parquet'}"
    write(table, path)
    found = read_raw(path)
    assert found.to_pydict() == table.to_pydict()
    assert [str(kind) for kind in found.schema.types] == ["int32", "date32[day]", "string", "string", "bool"]
    assert raw_schema(path).equals(found.schema)
    assert read_raw(path, columns=["k", "i"]).column_names == ["k", "i"]


def test_the_home_folder_is_written_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    cells(tmp_path, "a,b\n1,2\n")
    assert read_raw("~/t.csv").num_rows == 1


@pytest.mark.parametrize(("decimal", "good"), [(".", "-1.5e2"), (",", "-1,5e2")])
def test_numbers_are_read_as_python_reads_them_and_the_rest_is_bad(decimal, good):
    texts = [good, "3", "1.5,2", "1_0", "0x1", "nan", "inf", "1e999", "1e200", "", "x", "+7", "1" + decimal]
    found = cell_numbers(arrow.chunked_array([texts]), decimal=decimal)
    assert np.flatnonzero(~found.bad).tolist() == [0, 1, 11, 12]
    assert found.values[~found.bad].tolist() == [-150.0, 3.0, 7.0, 1.0]
    assert np.isnan(found.values[found.bad]).all()


def test_every_way_to_write_a_double_gives_that_double():
    values = np.random.default_rng(0).normal(size=500) * 10.0 ** np.arange(-250, 0, 0.5)
    texts = arrow.chunked_array([[repr(float(value)) for value in values]])
    assert cell_numbers(texts).values.tobytes() == values.tobytes()


def test_a_point_may_part_thousands_where_decimals_have_a_comma():
    assert cell_numbers(arrow.chunked_array([["1.234", "1,5"]]), decimal=",").bad.tolist() == [True, False]
