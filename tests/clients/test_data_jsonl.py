# SPDX-License-Identifier: Apache-2.0
"""JSON lines: what Python writes is read back, and every odd line is named."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.data import jsonl
from tailweave.clients.data.jsonl import is_jsonl, read_jsonl
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import TEXT, DataError
from tailweave.protocols.kinds.sources.jsonl import JsonLines

LINES = [{"text": "Tails are rare.", "from": 7}, {"text": "ä\nß\u2028", "from": 7, "id": None}]
GOOD = '{"text": "one"}\n{"text": "two"}\n'


def dumped(records, **options):
    return "".join(json.dumps(record, **options) + "\n" for record in records)


def test_plain_and_packed_files_give_the_same_documents(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.JSONL.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + dumped(LINES, ensure_ascii=False).replace("\n", "\r\n").encode())
    packed.write_bytes(gzip.compress(dumped(LINES).encode() + b"\n \n"))
    for path in (plain, packed):
        spec = JsonLines(source="jsonl", path=str(path), group="from")
        rows = load_rows(spec, seed=0)[0]
        assert rows.values.tolist() == ["Tails are rare.", "ä\nß"]  # white space at the end is no content
        assert (rows.labels.tolist(), rows.sort) == (["7", "7"], TEXT)
        assert [one.where for one in read_jsonl(path)] == [f"{path}, line 1", f"{path}, line 2"]
    assert load_rows(JsonLines(source="jsonl", path=str(plain)), seed=0)[0].labels is None


characters = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(characters, st.one_of(characters, st.integers())), min_size=2, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_text(dumped({"note": text, "kind": kind} for text, kind in pairs))
    found = read_jsonl(path, text="note", group="kind")
    assert [(one.text, one.label) for one in found] == [(text, str(kind).strip()) for text, kind in pairs]


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        ("", {}, r'a.jsonl: the file is empty; allowed: an object such as {"text": "..."} a line'),
        ("\n \n", {"text": "note"}, r'the file is empty; allowed: an object such as {"note": "..."} a line'),
        ('{"text": "one"}\n', {}, "a.jsonl: expected at least 2 documents, found 1"),
        (GOOD + '{"text": "thr', {}, r"a.jsonl, line 3: found no JSON \(Unterminated string .* character 10"),
        (GOOD + "[" * 10**5, {}, r"line 3: found no JSON \(maximum recursion"),
        (GOOD + '{"text": ' + "1" * 5000 + "}", {}, r"line 3: found no JSON \(Exceeds the limit"),
        ('{"text": "one"}\n\n{"text": "two"}', {}, "line 2: found a blank line; only the end may be blank"),
        ('[{"text": "one"}]', {}, r'line 1: found a list, allowed: an object such as {"text": "..."}'),
        ('"one"', {}, "line 1: found text, allowed: an object"),
        (GOOD + '{"texts": "x", "id": 1}', {}, "line 3: no key 'text'; nearest: 'texts'; known: texts, id"),
        (GOOD + "{}", {}, "line 3: no key 'text'; there are none"),
        (GOOD + '{"text": 3}', {}, "line 3, key 'text': found the number 3, allowed: text"),
        (GOOD + '{"text": null}', {}, "line 3, key 'text': found null, allowed: text"),
        (GOOD + '{"text": ["a"]}', {}, "line 3, key 'text': found a list, allowed: text"),
        (GOOD + '{"text": " \\n"}', {}, "line 3, key 'text': found a blank document, allowed"),
        (GOOD + '{"text": "a\\ud800"}', {}, r"line 3, key 'text': found half a character \(\\ud800\)"),
        (GOOD, {"group": "k"}, "line 1: no key 'k'; nearest: 'text'"),
        ('{"text": "a", "k": 1.5}', {"group": "k"}, "key 'k': found the number 1.5, allowed: text or whole"),
        (
            '{"text": "a", "k": true}',
            {"group": "k"},
            "line 1, key 'k': found true or false, allowed: text or",
        ),
        ('{"text": "a", "k": " "}', {"group": "k"}, "line 1, key 'k': found a blank group"),
        ('{"text": "a", "k": "\\udfff"}', {"group": "k"}, "line 1, key 'k': found half a character"),
        (b'{"text": "a"}\n{"text": "\xff"}', {}, "a.jsonl, line 2: found bytes that are not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, keys, message):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_jsonl(path, **keys)


def test_a_group_with_too_few_documents_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(dumped({"text": "x", "k": kind} for kind in (1, 1, 2)))
    with pytest.raises(
        DataError, match="a.jsonl: group '2' has 1 document, allowed: 2 or more in each group"
    ):
        load_rows(JsonLines(source="jsonl", path=str(path), group="k"), seed=0)


def test_names_and_packing_are_held_against_the_file(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="a.json: the name must end in .jsonl or .jsonl.gz"):
        read_jsonl(tmp_path / "a.json")
    with pytest.raises(DataError, match="a.jsonl: there is no such file"):
        read_jsonl(tmp_path / "a.jsonl")
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(DataError, match="d.jsonl: found a directory, allowed: a file"):
        read_jsonl(tmp_path / "d.jsonl")
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(dumped(LINES).encode())
    for broken in (GOOD.encode(), whole[:-20], whole[:12] + b"\xff" + whole[13:]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="a.jsonl.gz: cannot be read: "):
            read_jsonl(path)
    path.write_bytes(whole)
    monkeypatch.setattr(jsonl, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="a.jsonl.gz: holds more than"):
        read_jsonl(path)


def test_json_lines_are_known_by_their_names(tmp_path):
    names = ("a.jsonl", "a.jsonl.gz", "a.JSONL", "a.gz", "a.json", "jsonl")
    assert [is_jsonl(tmp_path / name) for name in names] == [True, True, True, False, False, False]
