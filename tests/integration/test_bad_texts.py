# SPDX-License-Identifier: Apache-2.0
"""What a user gets wrong about documents: exit 2, one message, and no folder."""

import json
import re
import sys
import time

import pytest

from tailweave.simulation import cli

WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
GOOD = [{"text": " ".join(WORDS[i % 7 :]) + f" {i}", "group": "ab"[i % 2]} for i in range(60)]
GENERATOR = {
    "kind": "language-model",
    "temperature": 0.8,
    "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
    "real-tokens": 4,
    "synthetic-tokens": 4,
    "first-epochs": 1,
    "device": "cpu",
}
TEXT = {
    "data": {"source": "jsonl", "path": "own.jsonl", "group": "group"},
    "features": {"kind": "tf-idf", "dimensions": 4},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": GENERATOR,
    "recursion": {"generations": 1, "samples": 10},
    "arms": [{"name": "random", "rule": "random"}],
}
LONG = GENERATOR | {"real-tokens": 40}
NOBODY = "nobody/nothing-of-this-name"
CASES = {
    "empty file": ([], {}, ["own.jsonl: the file is empty; allowed: an object such as "]),
    "no such key": (
        GOOD,
        {"data": TEXT["data"] | {"group": "area"}},
        ["line 1: no key 'area'; .*known: text"],
    ),
    "a group of one": (
        [*GOOD, {"text": "alone", "group": "c"}],
        {},
        ["own.jsonl: group 'c' has 1 document, allowed: 2 or more in each group"],
    ),
    "all the same": ([{"text": "same", "group": "a"}] * 60, {}, ["24 evaluation rows are all equal"]),
    "public prompts from short documents": (
        GOOD,
        {"generator": LONG | {"prompts": "public"}},
        ["generator.real-tokens: none of 36 documents has 40 tokens"],
    ),
    "own prompts from short documents": (
        GOOD,
        {"generator": LONG | {"prompts": "own"}},
        ["silo-0, generator.prompts: own: generator.real-tokens: none of 16 documents has 40 tokens"],
    ),
    "an arm's own prompts from short documents": (
        GOOD,
        {"generator": LONG, "arms": [{"name": "x", "rule": "random", "generator": {"prompts": "own"}}]},
        ["silo-0, generator.prompts: own: generator.real-tokens: none of"],
    ),
    "hidden states without a language model": (
        GOOD,
        {"generator": {"kind": "gaussian"}, "features": {"kind": "hidden-states"}},
        ["generator: kind gaussian takes samples of sort numbers, image, table; data gives text"],
    ),
    "hidden states of numbers": (
        GOOD,
        {
            "generator": {"kind": "gaussian"},
            "features": {"kind": "hidden-states"},
            "data": {"source": "digits"},
        },
        ["features: kind hidden-states takes samples of sort text; data gives image"],
    ),
    "more dimensions than columns": (
        GOOD,
        {"features": {"kind": "tf-idf", "dimensions": 9, "columns": 8}},
        [r"features.dimensions must be at most the length of a code \(8\), got 9"],
    ),
    "more dimensions than public samples": (
        GOOD,
        {"features": {"kind": "tf-idf", "dimensions": 1001}},
        ["features.dimensions must be at most the 1000 public samples, got 1001"],
    ),
    "a base that nobody has": (
        GOOD,
        {"generator": GENERATOR | {"network": None, "base": NOBODY}},
        [f"generator.base: {NOBODY} cannot be loaded as a causal language model: .*; give a folder with"],
    ),
    "an encoder that nobody has": (
        GOOD,
        {"features": {"kind": "hidden-states", "dimensions": 4, "model": NOBODY}},
        [f"features.model {NOBODY}: cannot be loaded .*; give a folder with"],
    ),
}
SECONDS = 60.0
"""Without a network a hub is asked once, which takes seconds; asked for each file it took a minute."""


@pytest.mark.parametrize(("lines", "changes", "wanted"), CASES.values(), ids=list(CASES))
def test_bad_documents_are_one_message_and_no_folder(
    tiny, monkeypatch, capsys, tmp_path, lines, changes, wanted
):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "own.jsonl").write_text(text, encoding="utf-8")
    path = tiny(seeds=1, **(TEXT | changes))
    monkeypatch.setattr(sys, "argv", ["tailweave", "run", str(path), "--out", str(tmp_path / "out")])
    begun = time.monotonic()
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, error = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert error.startswith("error: ")
    assert error.count("error: ") == 1
    assert "Traceback" not in error
    for pattern in wanted:
        assert re.search(pattern, error), error
    assert sorted(one.name for one in tmp_path.iterdir()) == ["own.jsonl", "tiny.yaml"]
    assert time.monotonic() - begun < SECONDS
