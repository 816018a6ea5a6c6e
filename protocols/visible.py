# SPDX-License-Identifier: Apache-2.0
"""Text from outside as it may be written down and shown: no character in it does anything."""

import unicodedata

LONGEST = 2_000
_JOINERS = "\u200c\u200d"
"""Between letters of Persian, Hindi and others they are spelling."""
_CUT = "…"


def visible(text: str, longest: int = LONGEST) -> str:
    r"""Return a text in which control characters are seen and not obeyed.

    Escapes move a terminal's cursor, colour it or rename its window, a newline begins a line of a log that
    nobody wrote, and bidirectional marks turn round what is read. Each becomes its escape as Python writes it
    (``\x1b``, ``\n``, ``\u202e``), as do halves of surrogate pairs and code points that mean nothing.

    Args:
        text: Any text.
        longest: Characters returned at most.

    Returns:
        The same text where it is harmless and short enough; again applied, it changes nothing.
    """
    if len(text) <= longest and text.isprintable():
        return text
    shown = "".join(_escaped(character) for character in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + _CUT


def _escaped(character: str) -> str:
    kind = unicodedata.category(character)
    harmful = (kind.startswith("C") and character not in _JOINERS) or kind in ("Zl", "Zp")
    return character.encode("unicode_escape").decode("ascii") if harmful else character
