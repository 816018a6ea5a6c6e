# SPDX-License-Identifier: Apache-2.0
"""Documentation as plain English, cut into passages of about one length."""

import re
from collections.abc import Iterable, Iterator

_SHORT = 1 / 3
"""Share of the wanted length below which a piece is no passage of its own."""


def english(text: str) -> str:
    """Return the sentences of a docstring: a line a paragraph, a space between words.

    Sessions of the interpreter, rows of tables, and lines without a letter or a digit are left out.
    """
    paragraphs = (_paragraph(block) for block in re.split(r"\n\s*\n", text))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def _paragraph(block: str) -> str:
    lines = []
    for line in block.split("\n"):
        if line.lstrip().startswith(">>>"):
            break  # what follows is what the interpreter said
        if re.search(r"[^\W_]", line) and not line.lstrip().startswith("|"):
            lines.append(line)
    return " ".join(" ".join(lines).split())


def passages(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Cut the texts of one file into passages.

    A text is cut between words into pieces of at most c = ``characters``. A piece shorter than c / 3 is
    joined to the end of the same text, or to what stands beside it in the file, if both together are not
    longer than 4 c / 3; else it is dropped.

    Args:
        texts: In the order of the file.
        characters: c, at least 1.

    Yields:
        Passages of c / 3 to 4 c / 3 + 1 characters, longer only where a word is.
    """
    held = ""
    for text in texts:
        for piece in _pieces(text, characters):
            short = min(len(held), len(piece)) < _SHORT * characters
            if held and short and len(held) + len(piece) <= (1 + _SHORT) * characters:
                held += f"\n{piece}"
                continue
            if len(held) >= _SHORT * characters:
                yield held
            held = piece
    if len(held) >= _SHORT * characters:
        yield held


def _pieces(text: str, characters: int) -> list[str]:
    pieces = [""]
    for word in re.findall(r"\S+\s*", text):  # with the white space behind it, which may end a paragraph
        if pieces[-1] and len(pieces[-1]) + len(word.rstrip()) > characters:
            pieces.append("")
        pieces[-1] += word
    if len(pieces) > 1 and len(pieces[-1].rstrip()) < _SHORT * characters:
        tail = pieces.pop()
        pieces[-1] += tail
    return [piece.rstrip() for piece in pieces]
