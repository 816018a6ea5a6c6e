# SPDX-License-Identifier: Apache-2.0
"""Documents as hashed words: against a slow count of our own, from every form that they may have."""

import re
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.utils import murmurhash3_32

from tailweave.clients.data.documents import read_documents
from tailweave.clients.data.hashed_text import as_hashed_words
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.sources.hashed_text import HashedText

WORDS = ("Tails are rare.", "Rare tails, rare!", "a cat IS_here\ta cat")


def counted(text: str, columns: int) -> np.ndarray:
    """Hash word by word and scale to length 1."""
    row = np.zeros(columns)
    for word in re.findall(r"\w\w+", text.lower()):
        number = murmurhash3_32(word, seed=0)
        row[abs(number) % columns] += 1 if number >= 0 else -1
    return row / np.linalg.norm(row)


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def hashed(path: Path, columns: int, **keys: str) -> Samples:
    return as_hashed_words(read_documents(path, **keys), columns)


def test_real_documents_are_their_counted_words(tmp_path):
    chosen = sorted(topics)[:12]
    for name in chosen:
        written(tmp_path / f"{name}.txt", topics[name])
    rows = hashed(tmp_path, 64)
    assert rows.labels is None
    assert rows.sort.hashed
    assert rows.take(np.arange(2)).sort.hashed
    assert np.abs(rows.values - [counted(topics[name], 64) for name in chosen]).max() < 1e-12
    assert np.abs(np.linalg.norm(rows.values, axis=1) - 1.0).max() < 1e-12  # scaled by one division a row


def test_folder_lines_and_column_give_the_same_rows(tmp_path):
    for name, text in zip("abc", WORDS, strict=True):
        written(tmp_path / "folder" / ("even" if name == "b" else "odd") / f"{name}.txt", text)
    lines = written(tmp_path / "lines.txt", "\ufeff" + "\r\n".join(WORDS) + "\r\n\r\n")
    cells = "".join(f'{i},"{text}",{"even" if i == 1 else "odd"}\n' for i, text in enumerate(WORDS))
    table = written(tmp_path / "table.csv", "id,note,kind\n" + cells)
    wanted = np.array([counted(text, 16) for text in WORDS])
    assert np.abs(hashed(lines, 16).values - wanted).max() < 1e-12
    rows = hashed(table, 16, column="note", label="kind")
    assert rows.labels.tolist() == ["odd", "even", "odd"]
    assert np.abs(rows.values - wanted).max() < 1e-12
    assert hashed(table, 16, column="note").labels is None
    by_class = hashed(tmp_path / "folder", 16)
    assert by_class.labels.tolist() == ["even", "odd", "odd"]
    assert np.abs(by_class.values - wanted[[1, 0, 2]]).max() < 1e-12


def test_the_simulation_reads_them_by_its_config(tmp_path):
    table = written(tmp_path / "t.csv", "note,kind\nsome words,x\nother words,y\n")
    spec = HashedText.model_validate(
        {"source": "hashed-text", "path": str(table), "columns": 8, "text-column": "note", "label": "kind"}
    )
    rows = load_rows(spec, seed=0)[0]
    assert rows.values.shape == (2, 8)
    assert rows.labels.tolist() == ["x", "y"]
    assert HashedText(source="hashed-text", path="p").columns == 256
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        HashedText(source="hashed-text", path="p", columns=1)


@pytest.mark.parametrize(
    ("name", "content", "keys", "message"),
    [
        ("one.txt", "a single line\n", {}, "expected at least 2 documents, found 1"),
        ("no.txt", "\n\n", {}, "expected at least 2 documents, found 0"),
        (
            "gap.txt",
            "some words\n\nmore words\n",
            {},
            "gap.txt, line 2: found no word of two letters or more",
        ),
        ("short.txt", "some words\na b c !\n", {}, "short.txt, line 2: found no word"),
        ("odd.txt", b"some words\n\xff\xfe\n", {}, "odd.txt, line 2: found bytes that are not UTF-8"),
        (
            "a.pdf",
            "x",
            {},
            r"a.pdf: found .pdf, allowed: a folder of .txt files, a .txt with a document a line, or",
        ),
        ("a.csv", "note\nx\n", {}, "a .csv of documents needs text-column"),
        ("a.csv", "", {"column": "note"}, "line 1: no column 'note'; there are none"),
        ("a.csv", "notes\nx\n", {"column": "note"}, "line 1: no column 'note'; nearest: 'notes'"),
        ("a.csv", "note\nx\n", {"column": "note", "label": "k"}, "line 1: no column 'k'"),
        ("a.csv", "note,k\nsome words\n", {"column": "note"}, "line 2: found 1 cells, the header has 2"),
        (
            "a.csv",
            "note,k\nxx,\n",
            {"column": "note", "label": "k"},
            "line 2, column 'k': found an empty cell",
        ),
        ("a.csv", "note,k\nxx,1\n,1\n", {"column": "note"}, "a.csv, line 3: found no word"),
        ("a.txt", "x\n", {"column": "note"}, "text-column is for a .csv of documents; remove it"),
        ("a.txt", "x\n", {"label": "k"}, "label is for a .csv of documents; remove it"),
        ("f/a.md", "x\n", {}, "a.md: found .md, allowed: .txt"),
        ("f/x/a.txt", "", {}, "expected at least 2 documents, found 1"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, keys, message):
    written(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        hashed(tmp_path / name.split("/")[0], 8, **keys)


def test_nothing_there_and_nothing_in_it_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="none: there is no such file or folder"):
        hashed(tmp_path / "none", 8)
    with pytest.raises(DataError, match="expected at least 2 documents, found 0"):
        hashed(tmp_path, 8)
