# SPDX-License-Identifier: Apache-2.0
"""Documents that stay text: the same from every form that they may have; forms' errors are tested hashed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.data.documents import Document, as_text, in_groups, read_documents
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import TEXT, DataError
from tailweave.protocols.kinds.sources.text_folder import TextFolder

TEXTS = ("Tails are rare.", "Rare tails, rare!", "a cat IS_here\ta cät")


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def loaded(path: Path, **options: str):
    return load_rows(TextFolder(source="text-folder", path=str(path), **options), seed=0)[0]


def test_folder_lines_and_column_give_the_same_texts(tmp_path):
    for name, text in zip("abc", TEXTS, strict=True):
        written(tmp_path / "flat" / f"{name}.txt", f"\ufeff{text}\r\n")
        written(tmp_path / "sorted" / "odd" / f"{name}.txt", text)
    written(tmp_path / "flat" / "desktop.ini", "of the system")
    lines = written(tmp_path / "lines.txt", "\ufeff" + "\r\n".join(TEXTS) + "\r\n\r\n")
    cells = "".join(f'{i},"{text}",{i % 2}\n' for i, text in enumerate(TEXTS))
    table = written(tmp_path / "table.csv", "id,note,kind\n" + cells)
    for rows in (loaded(tmp_path / "flat"), loaded(lines), loaded(table, text_column="note")):
        assert (tuple(rows.values.tolist()), rows.labels, rows.sort) == (TEXTS, None, TEXT)
    assert loaded(tmp_path / "sorted").labels.tolist() == ["odd"] * 3
    found = as_text(read_documents(table, column="note", label="kind"))
    assert found.labels.tolist() == ["0", "1", "0"]


def test_lines_within_a_document_stay(tmp_path):
    written(tmp_path / "a.txt", "one\r\n\r\n  two\n")
    written(tmp_path / "b.txt", "three\f4\n")
    assert loaded(tmp_path).values.tolist() == ["one\n\n  two", "three\f4"]


def test_one_long_document_costs_no_more_than_itself():
    # A table of strings as wide as the longest would take 400 GB.
    texts = ["x" * 10**6, *["short"] * 10**5]
    rows = as_text([Document("here", text, None) for text in texts])
    assert [len(one) for one in rows.values[:2].tolist()] == [10**6, 5]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, max_size=5))
def test_any_text_stays_or_is_refused(texts):
    documents = [Document("here", text, None) for text in texts]
    if all(text.strip() for text in texts):
        assert as_text(documents).values.tolist() == [text.replace("\r\n", "\n").strip() for text in texts]
    else:
        with pytest.raises(DataError, match="here: found a blank document, allowed: documents with words"):
            as_text(documents)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("none.txt", "\n\n", {}, "none.txt: expected at least 2 documents, found 0"),
        ("gap.txt", "some words\n \nmore words\n", {}, "gap.txt, line 2: found a blank document, allowed"),
        ("a.csv", "note,k\nxx,1\n,1\n", {"text_column": "note"}, "a.csv, line 3: found a blank document"),
        ("f/a.txt", "", {}, "expected at least 2 documents, found 1"),
        ("b.csv", "note\nx\n", {}, "a .csv of documents needs text-column"),
        ("u.txt", "one\n".encode("utf-16"), {}, "u.txt, line 1: found bytes that are not UTF-8"),
        (
            "c.csv",
            "note,k\none,a\ntwo,b\nthree,a\n",
            {"text_column": "note", "label": "k"},
            "c.csv: group 'b' has 1 document, allowed: 2 or more in each group",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, options, message):
    written(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        loaded(tmp_path / name.split("/")[0], **options)


def test_an_empty_folder_and_a_blank_file_are_named(tmp_path):
    with pytest.raises(DataError, match="expected at least 2 documents, found 0"):
        loaded(tmp_path)
    written(tmp_path / "x" / "a.txt", "words")
    written(tmp_path / "x" / "b.txt", " \n")
    with pytest.raises(DataError, match=r"b.txt: found a blank document"):
        loaded(tmp_path)


def test_documents_without_groups_have_none_that_is_small():
    rows = as_text([Document("here", "one", None)])
    assert in_groups("here", rows) is rows
    assert np.array_equal(rows.born, [0])


def test_a_document_of_a_csv_may_be_of_any_length(tmp_path):
    """Python's reader of CSV stops at 131,072 characters unless it is told otherwise."""
    path = written(tmp_path / "d.csv", f"text,k\n{'tail ' * 40_000},a\nshort,b\n")
    assert [len(one.text) for one in read_documents(path, column="text")] == [199_999, 5]
