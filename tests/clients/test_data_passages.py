# SPDX-License-Identifier: Apache-2.0
"""Passages of documentation: no word is lost, doubled, moved or cut, but in what is too short."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.data.passages import english, passages

DOCSTRING = """Return the tail
    of a list.

    =====
     * first  of
       all

    | a | table |
    Its rest:
    >>> tail([1])
    []

    >>> tail([2])

    +----+

    Seen.
"""


def test_paragraphs_are_lines_and_what_is_no_english_is_left_out():
    assert english(DOCSTRING) == "Return the tail of a list.\n* first of all\nIts rest:\nSeen."
    assert english("\n \n---\n") == english(">>> 1\n1") == ""


@pytest.mark.parametrize(
    ("texts", "characters", "wanted"),
    [
        (["aaa bbb ccc ddd"], 7, ["aaa bbb", "ccc ddd"]),
        (["aaa\nbbb ccc\nddd"], 7, ["aaa\nbbb", "ccc\nddd"]),
        (["aaaa bbbb cc"], 9, ["aaaa bbbb cc"]),  # the end is shorter than 3
        (["aaaa bbbb ccc"], 9, ["aaaa bbbb", "ccc"]),
        (
            ["aaa", "bb", "cc", "ddd"],
            9,
            ["aaa\nbb\ncc", "ddd"],
        ),  # 9 characters: 2 more would be 11, 3 are no less
        (["aaa", "bbb"], 9, ["aaa", "bbb"]),  # none is short
        (["aa", "bbbbbb"], 9, ["aa\nbbbbbb"]),
        (["aa", "bbbbbbbbbbbb"], 9, ["bbbbbbbbbbbb"]),  # together 14, more than 12: what is short is dropped
        (["aa"], 9, []),
        ([], 9, []),
        (["a" * 30 + " b"], 9, ["a" * 30 + " b"]),  # a word is not cut
    ],
)
def test_known_cuts(texts, characters, wanted):
    assert list(passages(texts, characters)) == wanted


words = st.text("ab", min_size=1, max_size=9)
texts = st.lists(st.lists(words, min_size=1, max_size=40).map(" ".join), max_size=6)


@settings(max_examples=100, deadline=None)
@given(texts, st.integers(9, 60))
def test_passages_keep_their_size_and_the_order_of_words(given_texts, characters):
    found = list(passages(given_texts, characters))
    for passage in found:
        assert characters / 3 <= len(passage) <= 4 * characters / 3 + 1
    rest = iter(" ".join(given_texts).split())
    assert all(word in rest for passage in found for word in passage.split())  # in this order, each once
    kept, whole = sum(len(p.split()) for p in found), len(" ".join(given_texts).split())
    if all(len(text) >= characters / 3 for text in given_texts):
        assert kept == whole


@settings(max_examples=50, deadline=None)
@given(st.lists(words, min_size=1, max_size=200), st.integers(27, 60))
def test_no_piece_could_have_held_one_word_more(many, characters):
    """The same by a slow loop: the longest beginnings that fit. No word is so long that it leaves a gap."""
    left, wanted = list(many), []
    while left:
        count = max(k for k in range(1, len(left) + 1) if k == 1 or len(" ".join(left[:k])) <= characters)
        wanted.append(" ".join(left[:count]))
        left = left[count:]
    if len(wanted) > 1 and len(wanted[-1]) < characters / 3:
        wanted[-2:] = [" ".join(wanted[-2:])]
    assert list(passages([" ".join(many)], characters)) == [
        one for one in wanted if len(one) >= characters / 3
    ]
