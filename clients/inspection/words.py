# SPDX-License-Identifier: Apache-2.0
"""What a column of words seems to be: truth values, days, levels of a category, or free text."""

from collections.abc import Mapping

from tailweave.clients.inspection.moments import of_written_moments
from tailweave.clients.inspection.proposal import Proposal, ignored

GAPS = frozenset(
    ["", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "nat", "?", "-", "--", ".", "missing", "k.a."]
)
"""How gaps are written, in lower case."""
_WORDS_TOO = frozenset(["none", "missing", "-", "--", "."])
"""Of those, what may as well be a level: in a category only one of the others is taken for a gap."""
_PAIRS = ({"false", "true"}, {"no", "yes"}, {"f", "t"}, {"n", "y"}, {"0", "1"})
_FEW, _MOST, _EACH = 50, 1000, 20
"""Levels that are always read as such; the most; and rows a level from which on many are."""
_RARE, _TOLD = 0.01, 5
_MOST_MOMENTS = 20_000
_LONG, _SENTENCES = 100, 20
"""Characters of a text that is no level, and how many levels may have four words on average."""


def of_words(counts: Mapping[str, int]) -> Proposal:
    """Propose what a column of text is.

    Args:
        counts: How often each different text stands there.
    """
    gaps = {text: times for text, times in counts.items() if text.lower() in GAPS}
    present = {text: times for text, times in counts.items() if text not in gaps}
    if not present:
        return ignored("all cells are empty" if set(gaps) == {""} else "no cell has a value")
    texts = list(present)
    if {text.lower() for text in texts} in _PAIRS:
        return Proposal({"kind": "boolean"}).lacking(gaps)
    if len(texts) <= _MOST_MOMENTS and (moments := of_written_moments(texts)) is not None:
        return moments.lacking(gaps)
    levels = {text: times for text, times in counts.items() if text.lower() not in GAPS - _WORDS_TOO}
    return _of_levels(levels).lacking({text: times for text, times in gaps.items() if text not in levels})


def _of_levels(counts: Mapping[str, int]) -> Proposal:
    rows, different = sum(counts.values()), len(counts)
    longest = max(map(len, counts))
    if different == 1:
        return ignored(f"constant: {next(iter(counts))[:40]!r} throughout")
    if different == rows:
        return ignored("different in each row: an ID or free text")
    wordy = different > _SENTENCES and sum(level.count(" ") for level in counts) >= 3 * different
    few = different <= _FEW and 2 * different <= rows and not wordy
    if longest > _LONG or not (few or (different <= _MOST and rows >= _EACH * different)):
        return ignored(f"free text: {different} different values in {rows} rows")
    return Proposal({"kind": "category", "values": sorted(counts)}, rare(counts))


def rare(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a note on levels that have less than one row in a hundred, if there are such."""
    least = _RARE * sum(counts.values())
    few = sorted((times, level) for level, times in counts.items() if times < least)
    if not few:
        return ()
    told = ", ".join(f"{level[:40]} {times}" for times, level in few[:_TOLD])
    return (f"rare: {told}{f' and {len(few) - _TOLD} more' if len(few) > _TOLD else ''}",)
