# SPDX-License-Identifier: Apache-2.0
"""A node's settings for its data: what is read by them, and what does not belong together."""

import re

import numpy as np
import pytest
from PIL import Image

from tailweave.clients.data.own_rows import OwnRows, own_rows
from tailweave.clients.samples import TEXT, DataError
from tailweave.protocols.streams import stream

GREY = stream(0, "grey").integers(256, size=(4, 6, 5)).astype(np.uint8)  # (n, h, w)


@pytest.fixture
def home(tmp_path):
    for name, label, pixels in zip("abcd", ("cat", "cat", "dog", "dog"), GREY, strict=True):
        (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{name}.png")
    np.savez(tmp_path / "pictures.npz", x=GREY, kind=np.array(["cat", "cat", "dog", "dog"]))
    (tmp_path / "rows.csv").write_text("v,note,kind\n1,some words,a\n2,more words,b\n")
    (tmp_path / "rows.jsonl").write_text('{"note": "some words", "k": 1}\n{"note": "more words", "k": 2}\n')
    (tmp_path / "texts" / "a").mkdir(parents=True)
    (tmp_path / "texts" / "a" / "1.txt").write_text("some words")
    (tmp_path / "texts" / "a" / "2.txt").write_text("more words")
    (tmp_path / "lines.txt").write_text("some words\nmore words\n")
    (tmp_path / "labels.csv").write_text("file,label\na.png,one\nb.png,two\n")
    return tmp_path


def read(home, data, **settings):
    return own_rows({"data": str(home / data), "partition-id": 3, **settings}).read()


def test_a_folder_and_an_archive_give_the_same_images(home):
    folder = read(home, "pictures", image="1,6,5")
    archive = read(home, "pictures.npz", image="1, 6, 5", label="kind")
    for rows in (folder, archive):
        assert rows.image == (1, 6, 5)
        assert rows.labels.tolist() == ["cat", "cat", "dog", "dog"]
        assert np.array_equal(rows.values, GREY.reshape(4, 30) / 255.0)


def test_other_sizes_and_labels_of_a_folder_are_as_set(home):
    with pytest.raises(DataError, match="found 5 x 6 pixels, image wants 3 x 3"):
        read(home, "pictures", image="1,3,3")
    assert read(home, "pictures", image="3,3,3", resize="stretch").image == (3, 3, 3)
    labels = str(home / "labels.csv")
    rows = read(home, "pictures/cat", image="1,6,5", labels=labels)
    assert rows.labels.tolist() == ["one", "two"]


def test_documents_are_read_by_their_number_of_columns(home):
    rows = read(home, "rows.csv", **{"text-columns": 8, "text-column": "note", "label": "kind"})
    assert (rows.sort.hashed, rows.values.shape, rows.labels.tolist()) == (True, (2, 8), ["a", "b"])


@pytest.mark.parametrize(
    ("data", "settings", "labels"),
    [
        ("texts", {}, ["a", "a"]),
        ("lines.txt", {}, None),
        ("rows.csv", {"text-column": "note"}, None),
        ("rows.csv", {"text-column": "note", "label": "kind"}, ["a", "b"]),
        ("rows.jsonl", {"text-column": "note"}, None),
        ("rows.jsonl", {"text-column": "note", "label": "k"}, ["1", "2"]),
    ],
)
@pytest.mark.parametrize("said", [True, "true", "True"])
def test_documents_are_read_as_they_are(home, data, settings, labels, said):
    rows = read(home, data, text=said, **settings)
    assert (rows.sort, rows.values.tolist()) == (TEXT, ["some words", "more words"])
    assert (None if rows.labels is None else rows.labels.tolist()) == labels


def test_settings_become_hashable_and_numbers_may_be_text():
    given = own_rows({"data": "d", "text-columns": "64"})
    assert given == own_rows({"data": "d", "text-columns": 64})
    assert own_rows({"data": "d", "text": False}) == own_rows({"data": "d"})
    assert {given: 1}[OwnRows(path=given.path, text_columns=64)] == 1


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        ("pictures", {}, r"found a directory, allowed: a file; a folder needs image: .* or text-columns: N"),
        (
            "pictures",
            {"image": "2,6,5"},
            "image must be channels,height,width with 1 or 3 channels, .* '2,6,5'",
        ),
        ("pictures", {"image": "1x6x5"}, "image must be channels,height,width"),
        ("pictures", {"image": "1,6"}, "image must be channels,height,width"),
        ("pictures", {"image": "1,6,0"}, "image must be channels,height,width"),
        ("pictures", {"image": "1,6,99999"}, "image must be channels,height,width"),
        (
            "pictures",
            {"image": "1,6,5", "resize": "cut"},
            "resize must be refuse, crop or stretch, got 'cut'",
        ),
        ("pictures", {"image": "1,6,5", "label": "kind"}, "label is for tables; classes of a folder are its"),
        ("pictures", {"image": "1,6,5", "text-columns": 8}, "image and text-columns exclude each other"),
        ("texts", {}, r"found a directory, allowed: a file; a folder needs .* text: true"),
        ("texts", {"text": "yes"}, "text must be true or false, got 'yes'"),
        ("texts", {"text": True, "image": "1,6,5"}, "image and text exclude each other: data are images or"),
        ("texts", {"text": True, "text-columns": 8}, "text and text-columns exclude each other: documents"),
        ("texts", {"text": True, "text-column": "note"}, "text-column is for a .csv of documents; remove it"),
        ("texts", {"text": True, "label": "kind"}, "label is for a .csv of documents; remove it"),
        ("texts", {"text": True, "labels": "l.csv"}, "labels is for a folder of images"),
        ("texts", {"text": True, "resize": "crop"}, "resize is for a folder of images"),
        ("pictures", {"text": True}, "a.png: found .png, allowed: .txt"),
        (
            "pictures.npz",
            {"text": True},
            "found .npz, allowed: a folder of .txt files, a .txt with a document",
        ),
        ("rows.csv", {"text": True}, "a .csv of documents needs text-column"),
        ("rows.jsonl", {}, "rows.jsonl: JSON lines are documents, which need text: true"),
        ("rows.jsonl", {"text-columns": 8}, "rows.jsonl: JSON lines are documents, which need text: true"),
        ("rows.jsonl", {"text": True}, "line 1: no key 'text'; nearest: 'note'; known: note, k"),
        ("none.jsonl", {"text": True}, "none.jsonl: there is no such file"),
        ("none", {"image": "1,6,5"}, "none: there is no such folder"),
        ("none.npz", {"image": "1,6,5"}, "none.npz: there is no such file"),
        ("pictures.npz", {"image": "1,5,5"}, r"found shape \(4, 6, 5\), allowed for image \[1, 5, 5\]"),
        ("pictures.npz", {"image": "1,6,5", "resize": "crop"}, "resize is for a folder of images"),
        ("pictures.npz", {"labels": "l.csv"}, "labels is for a folder of images, which needs image"),
        ("rows.csv", {"image": "1,6,5"}, "image needs data: a folder of images, or an .npz of them"),
        ("rows.csv", {"text-column": "note"}, "text-column needs text: true, or text-columns"),
        (
            "rows.csv",
            {"text-columns": 1, "text-column": "note"},
            "text-columns must be a whole number, 2 to 4096",
        ),
        ("rows.csv", {"text-columns": 4097}, "text-columns must be a whole number, .* got '4097'"),
        ("rows.csv", {"text-columns": 2.5}, "text-columns must be a whole number, .* got '2.5'"),
    ],
)
def test_settings_that_do_not_fit_are_named(home, data, settings, message):
    with pytest.raises(DataError, match=message):
        read(home, data, **settings)


BLOCK = """
data:
  source: csv
  path: of-the-experiment.csv
  label: kind
  delimiter: ;
  columns: {a: {kind: integer, min: 0}, born: {kind: date, min: 2000-01-01}, no: ignore}
"""


@pytest.mark.parametrize("alone", [True, False])
def test_columns_are_those_of_the_experiment_for_a_file_of_ones_own(tmp_path, alone):
    text = "\n".join(line[2:] for line in BLOCK.splitlines()[2:]) if alone else BLOCK
    (tmp_path / "columns.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "own.csv").write_text("kind;born;a\nx;2001-02-03;7\n", encoding="utf-8")
    rows = read(tmp_path, "own.csv", columns=tmp_path / "columns.yaml")
    assert (rows.columns, rows.labels.tolist()) == (("a", "born"), ["x"])
    assert rows.values[0].tolist() == [7.0, pytest.approx((11356 - 10957) / 3652.5)]
    assert hash(own_rows({"data": "own.csv", "columns": tmp_path / "columns.yaml"}))


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (
            "a: 1",
            {},
            "columns.yaml: declares no columns: it must be an experiment with data.columns, or have",
        ),
        ("columns: {a: numbr}", {}, "columns.yaml: columns.a: 'numbr' is unknown; did you mean 'number'?"),
        ("columns: {a: number}", {"text": True}, "columns are of tables: remove columns, or image, text"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path, text, more, message):
    (tmp_path / "columns.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "own.csv").write_text("a\n7\n", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        read(tmp_path, "own.csv", columns=tmp_path / "columns.yaml", **more)
