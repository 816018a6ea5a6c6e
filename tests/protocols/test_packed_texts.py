# SPDX-License-Identifier: Apache-2.0
"""Documents as one array of bytes, and back."""

import numpy as np
import pytest

from tailweave.protocols.texts import documents, packed, unpacked

TEXTS = ["", "plain", "two\nlines", "日本語 \U0001f389", "ends in nul\0"]


def test_they_come_back_as_they_were():
    array = packed(TEXTS)
    assert array.dtype == np.float64
    assert unpacked(array) == TEXTS
    assert unpacked(array.astype(np.float32)) == TEXTS
    assert unpacked(packed([])) == []
    assert documents(TEXTS).tolist() == TEXTS


def test_half_a_character_becomes_a_question_mark():
    assert unpacked(packed(["a\ud800b"])) == ["a?b"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([97.0]), "each be ended by 255"),
        (np.array([0.5, 255.0]), "vector of bytes"),
        (np.array([256.0]), "vector of bytes"),
        (np.array([-1.0]), "vector of bytes"),
        (np.array([[97.0, 255.0]]), "vector of bytes"),
        (np.array([0xC3, 255.0]), "must be UTF-8: .* at byte 0"),
    ],
)
def test_what_is_no_document_is_refused(array, message):
    with pytest.raises(ValueError, match=message):
        unpacked(array)


@pytest.mark.parametrize("values", [[], "text", [["a"], ["b"]], [1, 2], ["a", None], np.zeros(3)])
def test_what_is_no_list_of_strings_is_refused(values):
    with pytest.raises(ValueError, match="documents must be"):
        documents(values)
