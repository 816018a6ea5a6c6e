# SPDX-License-Identifier: Apache-2.0
"""What is proposed for files as people have them, and that it reads them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as arrow
import pytest
from pyarrow import parquet
from table_forms import forms

from tailweave.clients.inspection.block import inspect_file
from tailweave.clients.inspection.column import propose
from tailweave.clients.inspection.numbers import bounds
from tailweave.clients.samples import DataError
from tailweave.protocols.config.yaml_file import parse_yaml

FORMS = forms()


def proposed(*cells: object, name: str = "c", decimal: str = ".") -> str:
    return propose(name, arrow.chunked_array([arrow.array(cells)]), decimal=decimal).line(name)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gets_a_block_that_is_yaml(tmp_path, form):
    content, line = FORMS[form]
    (tmp_path / "t.csv").write_bytes(content)
    block = inspect_file(tmp_path / "t.csv", label="y")
    assert line in block
    assert 'label: "y"  # 2 classes: a ' in block
    data = parse_yaml(block, "block:")["data"]
    names = content.decode("utf-8-sig").splitlines()[0].replace('"', "").replace(";", ",").replace("\t", ",")
    assert [*data["columns"], "y"] == sorted([*names.split(",")], key=lambda name: name == "y")


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["M", "F", "M", "F"], "c: {kind: category, values: [F, M]}"),
        (["yes", "no", "", "?"], 'c: {kind: boolean, optional: true, missing: ["?"]}'),
        (["0", "1", "1"], "c: boolean  # 2 of 3 are 1"),
        (["1.5", "ca. 3", "2.5", "7"], "missing: [\"ca. 3\"]}  # missing: 1 'ca. 3'; mixed: 'ca. 3' among"),
        (
            ["20240131", "20230201", "20230201"],
            'max: "2024-12-31", format: "%Y%m%d"}',
        ),
        (["01/02/2023", "03/04/2024"], 'format: "%d/%m/%Y"}  # may as well be %m/%d/%Y: compare'),
        (["13/02/2023", "03/04/2024"], 'format: "%d/%m/%Y"}'),
        (["2023-02-01 10:00", "2023-02-02"], "c: {kind: datetime, min:"),
        (
            ["none", "mild", "none", "mild", "NA", "NA"],
            "values: [mild, none], optional: true, missing: [NA]}",
        ),
        (["", "", ""], "c: ignore  # all cells are empty"),
        (["a", "b", "c"], "c: ignore  # different in each row"),
        (list(map(str, range(12))), "c: ignore  # whole numbers, different in each row: an ID"),
        (["1e200", "2e200", "1e200", "2e200"], "c: ignore  # numbers beyond 1e+60"),
        ([1.5, None, 2.5], "optional: true}"),
        ([Decimal("1.5"), Decimal("2.5")], "c: {kind: number, min: 1.5, max: 2.5"),
        ([True, False, None], "c: {kind: boolean, optional: true}"),
        ([dt.date(2023, 2, 1), dt.date(2024, 2, 1)], 'c: {kind: date, min: "2023-01-01", max: "2024-12-31"}'),
        ([dt.datetime(2023, 2, 1, 5), dt.datetime(2024, 2, 1)], "c: {kind: datetime, min:"),
        ([[1], [2]], "c: ignore  # values of type list<"),
    ],
)
def test_what_a_column_seems_to_be(cells, line):
    assert line in proposed(*cells)


def test_rare_levels_are_named():
    assert proposed(*["a"] * 300, *["b"] * 200, "z", "z").endswith("# rare: z 2")


def test_words_that_yaml_takes_for_something_else_come_back():
    levels = [
        "no",
        "on",
        "~",
        "1e3",
        "01",
        "2024-01-01",
        "a: b",
        "[x]",
        "#",
        "é'\"\\",
        "\x07",
        "Y",
        "=",
        "x,y",
    ]
    read = parse_yaml(proposed("null", *levels, *levels, name="x: {"), "line:")
    assert read["x: {"]["values"] == sorted(levels)
    assert read["x: {"]["missing"] == ["null"]


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.0, 1.0),
        (-2.31, 7.92),
        (18.0, 93.0),
        (1e-7, 3e-7),
        (-1e40, 2e40),
        (1e15, 1e15 + 1),
        (-0.1 - 0.2, 0.0),
    ],
)
def test_bounds_lie_outside_and_near(low, high):
    found = bounds(low, high)
    assert found.low <= low < high <= found.high
    assert found.high - found.low <= 2.5 * (high - low)


@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ([-999, -999, 4, 5, 6], True),
        ([-999, 4, 5, 6, 7], False),  # once may be a mistake
        ([99, 99, 97, 98, 96, 50], False),  # among others
        ([-1, -1, 30, 40, 50], True),
        ([-1, -1, 0, 1, 2], False),
        ([-9, -9, 0, 2000, 5000], True),  # near, but all others are not negative
        ([-9, -9, -4, 2000, 5000], False),
    ],
)
def test_numbers_that_mean_missing_stand_far_off_and_again(values, taken):
    assert ("optional" in proposed(*np.array(values) + 0.0)) == taken


def test_a_label_that_is_not_there_and_a_file_that_is_not_there(tmp_path):
    (tmp_path / "t.csv").write_text("a,kind\n1,x\n2,y\n")
    with pytest.raises(DataError, match="no column 'kid'; nearest: 'kind'"):
        inspect_file(tmp_path / "t.csv", label="kid")
    with pytest.raises(DataError, match="there is no such file"):
        inspect_file(tmp_path / "u.csv")


def test_classes_that_are_none_are_noted(tmp_path):
    parquet.write_table(arrow.table({"a": [1.0, 2.0] * 40, "k": [None, *range(79)]}), tmp_path / "t.parquet")
    block = inspect_file(tmp_path / "t.parquet", label="k")
    assert "and 59 more; 1 rows have no label" in block
    assert "is it an ID or a number?; 79 with a single row" in block


def test_the_delimiter_and_the_mark_are_found_or_told(tmp_path):
    (tmp_path / "t.csv").write_text("a|b\n1,5|x\n2,5|x\n")
    assert 'delimiter: "|"\n  decimal: ","' in inspect_file(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("a\tb,c\n1\t2,3\n")
    assert "delimiter: tab" in inspect_file(tmp_path / "t.csv", delimiter="tab")
