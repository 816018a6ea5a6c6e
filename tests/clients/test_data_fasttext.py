# SPDX-License-Identifier: Apache-2.0
"""Documents in fastText's format: a miniature of the Amazon file, and every odd line named."""

import bz2

import pytest

from tailweave.clients.data import fasttext
from tailweave.clients.data.fasttext import read_fasttext
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import TEXT, DataError
from tailweave.protocols.kinds.sources.fasttext import FastText

REVIEWS = (
    "__label__2 Stuning even for the non-gamer: This sound track was beautiful!\n"
    "__label__1 Buyer beware: This is a self-published book, and if you want to know why--read.\n"
    "__label__2 Tr\u00e8s bien : \u2028 je recommande __label__ to all\n"
    "__label__1 The Worst!: A complete waste of time.\n"
)


def test_plain_and_packed_files_give_the_same_documents(tmp_path):
    plain, packed = tmp_path / "test.ft.txt", tmp_path / "test.ft.txt.BZ2"
    plain.write_bytes(b"\xef\xbb\xbf" + REVIEWS.replace("\n", "\r\n").encode() + b"\n \n")
    packed.write_bytes(bz2.compress(REVIEWS.encode()))
    for path in (plain, packed):
        rows = load_rows(FastText(source="fasttext", path=str(path)), seed=0)[0]
        assert rows.labels.tolist() == ["2", "1", "2", "1"]
        assert rows.sort == TEXT
        assert rows.values[2] == "Tr\u00e8s bien : \u2028 je recommande __label__ to all"
        assert [one.where for one in read_fasttext(path)][-1] == f"{path}, line 4"


def test_only_the_first_rows_are_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(REVIEWS + "no label, but nobody looks\n", encoding="utf-8")
    assert [one.label for one in read_fasttext(path, rows=4)] == ["2", "1", "2", "1"]
    assert len(read_fasttext(path, rows=3)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.txt: expected at least 2 documents, found 0"),
        ("__label__1 one\n", "a.txt: expected at least 2 documents, found 1"),
        (
            REVIEWS + "A review: without its label\n",
            "a.txt, line 5: found no label but 'A' in front, allowed",
        ),
        (REVIEWS + "__label__2\n", "line 5: found a label without a text, allowed: '__label__2 text'"),
        (REVIEWS + "__label__2 \t\n", "line 5: found a label without a text"),
        (REVIEWS + "__label__ text\n", "line 5: found a label without a name"),
        (REVIEWS + "__label__1 __label__2 text\n", "line 5: found two labels, allowed: one on each line"),
        ("__label__1 a\n\n__label__2 b\n", "line 2: found a blank line; only the end may be blank"),
        (b"__label__1 a\n__label__2 \xff\n", "a.txt, line 2: found bytes that are not UTF-8"),
        ("__label__1 a\n__label__1 b\n__label__3 c\n", "a.txt: group '3' has 1 document, allowed: 2 or more"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        load_rows(FastText(source="fasttext", path=str(path)), seed=0)


def test_files_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"a.txt: there is no such file \(looked for "):
        read_fasttext(tmp_path / "a.txt")
    with pytest.raises(DataError, match="found a directory, allowed: a file"):
        read_fasttext(tmp_path)
    packed = tmp_path / "a.bz2"
    for broken in (REVIEWS.encode(), bz2.compress(REVIEWS.encode())[:-9]):
        packed.write_bytes(broken)
        with pytest.raises(DataError, match="a.bz2: cannot be read: "):
            read_fasttext(packed)
    plain = tmp_path / "a.txt"
    plain.write_text(REVIEWS, encoding="utf-8")
    monkeypatch.setattr(fasttext, "MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"holds more than .* GiB.*data.rows .* \(the first 1 fit\)"):
        read_fasttext(plain)
