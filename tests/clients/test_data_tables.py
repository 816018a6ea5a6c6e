# SPDX-License-Identifier: Apache-2.0
import zipfile

import numpy as np
import pytest

from tailweave.clients.data.tables import read_table
from tailweave.clients.samples import DataError


def _csv(tmp_path, text, label=None):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, label)


def _npz(tmp_path, label=None, **arrays):
    path = tmp_path / "t.npz"
    np.savez(path, **arrays)
    return read_table(path, label)


def test_csv_known_answer(tmp_path):
    rows = _csv(tmp_path, "a, kind ,b\n1,x,-2.5\n 3e2 , 7,0\n", "kind")
    assert rows.columns == ("a", "b")
    assert rows.values.tolist() == [[1.0, -2.5], [300.0, 0.0]]
    assert rows.labels.tolist() == ["x", "7"]
    assert _csv(tmp_path, "a,b\n1,2").labels is None


@pytest.mark.parametrize(
    "text",
    [b"\xef\xbb\xbfa,k\r\n1,\xc3\xa9\r\n", "a,k\n1,é\n\n\n", '"a","k"\n"1","é"', "a,k\r1,é\r"],
    ids=["bom-crlf", "blank-end", "quoted", "old-mac"],
)
def test_csv_dialects_that_are_allowed(tmp_path, text):
    rows = _csv(tmp_path, text, "k")
    assert rows.columns == ("a",)
    assert rows.values.tolist() == [[1.0]]
    assert rows.labels.tolist() == ["é"]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("", None, r"t.csv: the file is empty; line 1 must name the columns"),
        ("\n\n", None, "the file is empty"),
        ("a,b\n", None, "no rows after the header"),
        ("a,b\n1,2\n3\n", None, r"t.csv, line 3: found 1 cells, the header has 2"),
        ("a,b\n1,2,3\n", None, "line 2: found 3 cells, the header has 2"),
        (
            "a,b\n1,2\n3,red\n",
            None,
            r"line 3, column 'b': found 'red', allowed: a finite number .1 of 2 cells.\n(.|\n)* label",
        ),
        ("a,b\n1,nan\n", None, r"line 2, column 'b': found 'nan', allowed: a finite number "),
        ("a,b\n-inf,1\n", None, "line 2, column 'a': found '-inf', allowed: a finite number "),
        ("a,b\n1e999,1\n", None, "line 2, column 'a': found '1e999'"),
        ("a,b\n1_0,1\n", None, "line 2, column 'a': found '1_0'"),
        ("a,b\n1,\n", None, r"line 2, column 'b': found an empty cell, allowed: a finite number "),
        ("a,k\n1, \n", "k", "line 2, column 'k': found an empty cell, allowed: a label"),
        ("a,species\n1,x\n", "specie", "line 1: no column 'specie'; nearest: 'species'; known: a, species"),
        ("a,b,a\n1,2,3\n", None, "line 1: column names must differ, found twice: a"),
        ("a,,c\n1,2,3\n", None, 'line 1: column 2 has no name; .* `"": ignore`'),
        ("a,,\n1,2,3\n", None, "line 1: column 3 has no name; only one may have none"),
        (
            "a,b\n1e200,2\n",
            None,
            r"line 2, column 'a': found '1e200', allowed: a number up to 1e\+60; change",
        ),
        ("1.5,2\n3,4\n", None, "line 1: found only numbers; the first line must name"),
        ("k\nx\n", "k", "line 1: found only the label column 'k'; it has no numeric columns"),
        ("a;b\n1;2\n", None, "line 1: found 'a;b'; columns must be separated by commas"),
        ("a,b\n1,2\n\n3,4\n", None, "line 3: found a blank line; only the end"),
        ("a\n1\n\n\n3\n", None, "line 3: found a blank line"),
        (b"a,b\n1,2\n3,\xff\n", None, "line 3: found bytes that are not UTF-8"),
        ('a,b\n1,"2\n', None, "not a comma-separated table: unexpected end of data"),
        ('a,b\n"1\n",2\n3,x\n', None, "line 4, column 'b'"),  # lines are the file's, not the records'
    ],
)
def test_csv_bad_input(tmp_path, text, label, message):
    with pytest.raises(DataError, match=message):
        _csv(tmp_path, text, label)


def test_npz_known_answer(tmp_path):
    x = np.array([[1, 2], [3, 4]], dtype=np.int32)
    rows = _npz(tmp_path, x=x, y=np.array([7, 12]), site=np.array(["a", "b"]))
    assert rows.values.dtype == np.float64
    assert rows.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert rows.columns == ("x0", "x1")
    assert rows.labels.tolist() == ["7", "12"]
    assert _npz(tmp_path, "site", x=x, y=np.array([7, 12]), site=np.array(["a", "b"])).labels.tolist() == [
        "a",
        "b",
    ]
    assert _npz(tmp_path, x=x).labels is None


def test_npz_arrays_of_other_names_and_axes_of_one(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, train_images=np.arange(6).reshape(2, 3, 1), train_labels=[[7], [8]])
    rows = read_table(path, "train_labels", array="train_images")
    assert rows.values.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert rows.labels.tolist() == ["7", "8"]
    with pytest.raises(
        DataError, match="no array 'x'; .* known: train_images, train_labels; say .* data.array"
    ):
        read_table(path, None)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array([5.0, -1.0]), ["5", "-1"]),
        (np.array([1, 2], dtype=np.float16), ["1", "2"]),
        (np.array([b"caf\xc3\xa9", b"b"]), ["café", "b"]),
        (np.array([True, False]), ["True", "False"]),
    ],
)
def test_npz_labels_become_text(tmp_path, labels, expected):
    assert _npz(tmp_path, x=np.eye(2), y=labels).labels.tolist() == expected


EYE = np.eye(2)


@pytest.mark.parametrize(
    ("label", "arrays", "message"),
    [
        (None, {"data": EYE, "y": [0, 1]}, r"t.npz: no array 'x'; nearest: .*; known: data, y"),
        ("sit", {"x": EYE, "site": [0, 1]}, "no array 'sit'; nearest: 'site'; known: x, site"),
        (None, {"x": np.ones(3)}, r"array 'x': found shape \(3,\), allowed: \(rows, columns\)"),
        (None, {"x": np.ones((2, 2, 2))}, r"found shape \(2, 2, 2\)"),
        (None, {"x": np.ones((0, 2))}, r"found shape \(0, 2\)"),
        (None, {"x": np.array([["a"]])}, "array 'x': found values of type <U1, allowed: real numbers"),
        (None, {"x": EYE * 1j}, "found values of type complex128"),
        (None, {"x": np.array([[1, None]])}, "array 'x': cannot be read: Object arrays"),
        (None, {"x": EYE, "y": np.array(["a", None])}, "array 'y': cannot be read: Object arrays"),
        (None, {"x": np.array([[0, 1], [2, np.inf]])}, "array 'x', row 1, column 1: found inf"),
        (None, {"x": EYE, "y": [1, 2, 3]}, r"array 'y': found shape \(3,\), allowed: \(2,\), one label"),
        (None, {"x": EYE, "y": [[1, 2], [2, 1]]}, r"array 'y': found shape \(2, 2\)"),
        (None, {"x": EYE, "y": [1.0, 2.5]}, "array 'y', row 1: found 2.5, allowed: text or whole"),
        (None, {"x": EYE, "y": [np.nan, 1.0]}, "array 'y', row 0: found nan"),
        (None, {"x": EYE, "y": ["a", ""]}, "array 'y', row 1: found an empty label"),
        (None, {"x": EYE, "y": [b"\xff", b"a"]}, "array 'y': found bytes that are not UTF-8"),
        (None, {"x": EYE, "y": [1j, 2]}, "array 'y': found labels of type complex128"),
    ],
)
def test_npz_bad_input(tmp_path, label, arrays, message):
    with pytest.raises(DataError, match=message):
        _npz(tmp_path, label, **arrays)


def test_npz_damaged_files(tmp_path):
    path = tmp_path / "t.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match="found no NPZ archive"):
        read_table(path, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"text")
    with pytest.raises(DataError, match="array 'x': cannot be read: found no array"):
        read_table(path, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"text")
    with pytest.raises(DataError, match="array 'x': "):
        read_table(path, None)
    np.savez(path, x=EYE)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\x93NUMPY") + 130] ^= 0xFF  # one bit-flipped byte of the values: the checksum must tell
    path.write_bytes(raw)
    with pytest.raises(DataError, match="array 'x': cannot be read: Bad CRC"):
        read_table(path, None)


def test_paths_that_are_no_table(tmp_path):
    with pytest.raises(DataError, match=r"gone.csv: there is no such file \(looked for /"):
        read_table("gone.csv", None)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d.csv: found a directory, allowed: a file"):
        read_table(tmp_path / "d.csv", None)
    with pytest.raises(DataError, match=r"must end in .csv or .* or .npz, found .txt"):
        read_table("t.txt", None)
    with pytest.raises(DataError, match=r"must end in .csv or .* or .npz, found no ending"):
        read_table("t", None)
