# SPDX-License-Identifier: Apache-2.0
"""Multiple-choice questions: a miniature in HellaSwag's format, a scorer that is known, and broken lines."""

import json

import numpy as np
import pytest

from tailweave.clients.metrics.text.choices import Question, accuracy, read_questions
from tailweave.clients.samples import DataError

LINES = [
    {"ind": 1, "ctx": "She opens the tap.", "endings": ["Water runs.", "It sings."], "label": "0"},
    {"ctx": "He strikes a match.", "endings": ["It melts.", "It is wet.", "It burns."], "label": 2},
    {"ctx": "", "endings": ["a", "b"], "label": 1},
]


@pytest.fixture
def written(tmp_path):
    def write(*lines: object, end: str = "\n") -> str:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path = tmp_path / "questions.jsonl"
        path.write_text("\n".join(texts) + end, encoding="utf-8")
        return str(path)

    return write


def test_questions_are_read(written):
    for end in ("", "\n", "\n\n \n"):
        first, second, third = read_questions(written(*LINES, end=end))
        assert first == Question("She opens the tap.", ("Water runs.", "It sings."), 0)
        assert second.label == 2
        assert third.context == ""


def test_accuracy_is_the_share_whose_right_ending_is_likeliest(written):
    questions = read_questions(written(*LINES))
    seen = []

    def score(contexts, endings):
        seen.append(list(zip(contexts, endings, strict=True)))
        return np.array([-1.0, -2.0, -3.0, -1.0, -2.0, -2.0, -1.0])

    assert accuracy(questions, score) == pytest.approx(2 / 3)  # right, wrong (1 for 2), right
    assert len(seen) == 1
    assert seen[0][2:5] == [("He strikes a match.", end) for end in ("It melts.", "It is wet.", "It burns.")]


def test_ties_go_to_the_first_ending():
    alike = lambda contexts, endings: np.zeros(len(endings))  # noqa: E731
    assert accuracy([Question("c", ("a", "b"), 0)], alike) == 1.0
    assert accuracy([Question("c", ("a", "b"), 1)], alike) == 0.0
    impossible = lambda contexts, endings: np.full(len(endings), -np.inf)  # noqa: E731
    assert accuracy([Question("c", ("a", "b"), 0)], impossible) == 1.0


def test_a_slow_loop_agrees():
    rng = np.random.default_rng(0)
    questions = [Question(str(i), tuple(map(str, range(2 + i % 3))), int(rng.integers(2))) for i in range(60)]
    table = {(q.context, ending): rng.normal() for q in questions for ending in q.endings}
    right = [max(range(len(q.endings)), key=lambda e: table[q.context, str(e)]) == q.label for q in questions]
    found = accuracy(questions, lambda c, e: [table[pair] for pair in zip(c, e, strict=True)])
    assert found == pytest.approx(np.mean(right))


@pytest.mark.parametrize(
    ("scores", "message"),
    [([0.0], r"score must give 2 numbers, got shape \(1,\)"), ([0.0, np.nan], "score must give 2 numbers")],
)
def test_what_is_no_score_is_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        accuracy([Question("c", ("a", "b"), 0)], lambda contexts, endings: scores)


def test_no_questions_have_no_accuracy():
    with pytest.raises(ValueError, match="questions must be one or more, got none"):
        accuracy([], lambda contexts, endings: [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON: "),
        ("", "line 2: not JSON: "),
        ("[" * 100_000, "line 2: not JSON: "),
        ("[1]", "line 2: found list, allowed: an object with ctx, endings and label"),
        ({"ctx": "a", "label": 0}, "line 2: endings is missing; a question has ctx, endings and label"),
        (LINES[0] | {"ctx": None}, "line 2: ctx must be a text, found NoneType"),
        (LINES[0] | {"endings": ["one"]}, r"line 2: endings must be two or more texts, found \['one'\]"),
        (LINES[0] | {"endings": "two"}, "line 2: endings must be two or more texts, found two"),
        (LINES[0] | {"endings": ["a", 3]}, "line 2: endings must be two or more texts"),
        (LINES[0] | {"endings": ["a", ""]}, "line 2: endings must be two or more texts"),
        (LINES[0] | {"label": 2}, "line 2: label must be 0 to 1, as there are 2 endings, found '2'"),
        (LINES[0] | {"label": -1}, "line 2: label must be 0 to 1, .* found '-1'"),
        (LINES[0] | {"label": ""}, "line 2: label must be 0 to 1, .* found ''"),
        (LINES[0] | {"label": True}, "line 2: label must be 0 to 1, .* found 'True'"),
        (LINES[0] | {"label": 1.0}, "line 2: label must be 0 to 1, .* found '1.0'"),
    ],
)
def test_broken_lines_are_named(written, line, message):
    with pytest.raises(DataError, match=message):
        read_questions(written(LINES[0], line, LINES[1]))


def test_files_that_are_none_are_named(tmp_path, written):
    with pytest.raises(DataError, match="none.jsonl: cannot be read: No such file"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="there are no questions"):
        read_questions(written(end=""))
    (tmp_path / "latin.jsonl").write_bytes(b"{}\n\xff")
    with pytest.raises(DataError, match="line 2: found bytes that are not UTF-8"):
        read_questions(tmp_path / "latin.jsonl")
