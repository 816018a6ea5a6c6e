# SPDX-License-Identifier: Apache-2.0
"""A declared table is known again by its file, however its columns are declared; other people are others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tailweave.clients.data.own_rows import own_rows
from tailweave.clients.node import open_node
from tailweave.clients.release.likeness import Likeness, likeness
from tailweave.protocols.streams import stream

KEY = b"k" * 32
AGE = "{kind: integer, min: 0, max: 120}"
WARD = "{kind: category, values: [a, b, c]}"


def known(folder: Path, lines: list[str], *columns: str, path: str = "t.csv") -> Likeness:
    """Return what a node's host keeps of a table of ward, smoker and age."""
    (folder / "columns.yaml").write_text("columns:\n" + "".join(f"  {one}\n" for one in columns))
    if path.endswith(".csv"):
        (folder / path).write_text("\n".join(["ward,smoker,age", *lines]) + "\n")
    given = {"data": str(folder / path), "state-dir": str(folder / "state"), "name": "s"}
    node = open_node(given | {"columns": str(folder / "columns.yaml")}, {}, seed=0)
    return likeness(node.all_rows(), KEY)


def people(rows: int, *path: str) -> list[str]:
    rng = stream(0, "people", *path)
    return [f"{rng.choice(list('abc'))},{rng.choice(['no', 'yes'])},{rng.integers(100)}" for _ in range(rows)]


def test_tables_of_levels_alone_that_differ_are_not_the_same(tmp_path):
    columns = (f"ward: {WARD}", "smoker: boolean", "age: ignore")
    one, two = ([line.rsplit(",", 1)[0] + ",30" for line in people(300, name)] for name in "xy")
    assert known(tmp_path, one, *columns).table != known(tmp_path, two, *columns).table
    assert known(tmp_path, one[::-1], *columns) == known(tmp_path, one, *columns)


@pytest.mark.parametrize(
    "columns",
    [
        (f"ward: {WARD}", "smoker: boolean", "age: {kind: number, center: 50, scale: 11}"),
        ("ward: ignore", "smoker: {kind: category, values: [no, yes]}", f"age: {AGE}"),
        (f"age: {AGE}", "smoker: {kind: boolean, values: ['no', 'yes']}", "ward: group"),
    ],
)
def test_no_declaration_makes_other_rows_of_a_file(tmp_path, columns):
    lines = [f"{line[:2]}{'yes' if 'yes' in line else 'no'},{i % 97}" for i, line in enumerate(people(120))]
    first = known(tmp_path, lines, f"ward: {WARD}", "smoker: boolean", f"age: {AGE}")
    assert known(tmp_path, lines, *columns) == first


def test_a_parquet_file_of_the_same_rows_is_known_and_numbers_are_those_of_an_undeclared_table(tmp_path):
    lines = people(80, "parquet")
    columns = (f"ward: {WARD}", "smoker: boolean", f"age: {AGE}")
    ward, smoker, age = zip(*(line.split(",") for line in lines), strict=True)
    table = pa.table({"age": list(map(int, age)), "ward": list(ward), "smoker": list(smoker)})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert known(tmp_path, [], *columns, path="t.parquet") == known(tmp_path, lines, *columns)
    (tmp_path / "n.csv").write_text("u,v\n" + "".join(f"{i},{i * i % 31}.5\n" for i in range(40)))
    (tmp_path / "n.yaml").write_text("columns: {u: {kind: integer, scale: 3}, v: number}\n")
    given = own_rows({"data": str(tmp_path / "n.csv"), "columns": str(tmp_path / "n.yaml")})
    plain = own_rows({"data": str(tmp_path / "n.csv")}).read()
    np.testing.assert_array_equal(given.cells(), plain.values)
