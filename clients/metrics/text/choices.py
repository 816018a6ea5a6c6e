# SPDX-License-Identifier: Apache-2.0
"""Multiple-choice questions, such as HellaSwag's: which ending does a language model find likeliest?

The file is the user's: one question a line, as JSON, with the keys of HellaSwag's own files, ``ctx`` (the
text so far), ``endings`` (how it may go on) and ``label`` (which one it does, from 0); other keys are not
looked at. Texts are taken as they stand, without the clean-up of brackets that some harnesses do.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tailweave.clients.data.utf8 import read_utf8
from tailweave.clients.samples import DataError

Score = Callable[[list[str], list[str]], ArrayLike]
"""Of k contexts and the ending of each: the log-likelihood a token of each ending, shape (k,)."""


@dataclass(frozen=True)
class Question:
    """A text so far, two or more endings, and which of them is right, from 0."""

    context: str
    endings: tuple[str, ...]
    label: int


def read_questions(path: str | Path) -> list[Question]:
    """Read a JSONL file of questions; blank lines at its end are allowed.

    Raises:
        DataError: Naming file and line, what was found and what is allowed.
    """
    path = Path(path)
    try:
        lines = read_utf8(path).rstrip().split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if lines == [""]:
        raise DataError(f"{path}: there are no questions; one a line is wanted, as JSON")
    return read_lines(lines, str(path))


def written(questions: Sequence[Question]) -> list[str]:
    """Return questions as lines, which ``read_lines`` reads back."""
    return [json.dumps({"ctx": one.context, "endings": one.endings, "label": one.label}) for one in questions]


def read_lines(lines: Sequence[str], where: str) -> list[Question]:
    """Read questions, a line each; ``where`` names them in messages; raises ``DataError`` as the file."""
    return [_question(line, f"{where}, line {number}") for number, line in enumerate(lines, 1)]


def accuracy(questions: Sequence[Question], score: Score) -> float:
    """Share of questions whose right ending is the likeliest.

    Args:
        questions: One or more.
        score: Gives log-likelihoods over the length of the ending, as longer ones are less likely; it is
            called once, with all endings of all questions, question by question.

    Returns:
        0 to 1; endings that are equally likely count as their first. Guessing among e endings gives 1 / e.

    Raises:
        ValueError: If there are no questions, or ``score`` does not give one number for each ending.

    Source:
        Zellers et al. (2019), HellaSwag, arXiv 1905.07830; normalised by length as ``acc_norm`` of
        EleutherAI's lm-evaluation-harness, which takes bytes for length.
    """
    if not questions:
        raise ValueError("questions must be one or more, got none")
    contexts = [question.context for question in questions for _ in question.endings]
    endings = [ending for question in questions for ending in question.endings]
    found = np.asarray(score(contexts, endings), dtype=np.float64)
    if found.shape != (len(endings),) or np.isnan(found).any():
        raise ValueError(
            f"score must give {len(endings)} numbers, got shape {found.shape} or one that is none"
        )
    ends = np.cumsum([len(question.endings) for question in questions])
    chosen = [int(np.argmax(part)) for part in np.split(found, ends[:-1])]
    right = [pick == question.label for pick, question in zip(chosen, questions, strict=True)]
    return sum(right) / len(right)


def _question(line: str, where: str) -> Question:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {str(error)[:100]}") from None
    if not isinstance(raw, dict):
        raise DataError(
            f"{where}: found {type(raw).__name__}, allowed: an object with ctx, endings and label"
        )
    missing = [key for key in ("ctx", "endings", "label") if key not in raw]
    if missing:
        raise DataError(f"{where}: {missing[0]} is missing; a question has ctx, endings and label")
    context, endings = raw["ctx"], raw["endings"]
    if not isinstance(context, str):
        raise DataError(f"{where}: ctx must be a text, found {type(context).__name__}")
    texts = isinstance(endings, list) and all(isinstance(ending, str) and ending for ending in endings)
    if not texts or len(endings) < 2:
        raise DataError(f"{where}: endings must be two or more texts, found {str(endings)[:60]}")
    return Question(context, tuple(endings), _label(raw["label"], len(endings), where))


def _label(raw: object, endings: int, where: str) -> int:
    """Return the number of the right ending; HellaSwag's files have it as text or as a number."""
    allowed = {str(number): number for number in range(endings)}
    if isinstance(raw, bool) or not isinstance(raw, int | str) or str(raw).strip() not in allowed:
        raise DataError(
            f"{where}: label must be 0 to {endings - 1}, as there are {endings} endings, found "
            f"{str(raw)[:60]!r}"
        )
    return allowed[str(raw).strip()]
