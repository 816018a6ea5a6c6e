# SPDX-License-Identifier: Apache-2.0
"""Flower's error codes in words."""

import pytest

from tailweave.server.flower_errors import may_pass, reason


def test_a_handlers_own_words_are_all_that_is_said():
    assert reason(2, "<class 'tailweave.protocols.refusals.Refusal'>:<'too few rows'>") == "too few rows"


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        (5, "Node Unavailable", "the node cannot be reached (Node Unavailable)"),
        (8, "", "the app's process on the node was killed, or ran out of memory"),
        (1, "no module", "the app could not be loaded on the node; is the same tailweave .* (no module)"),
        (99, "new", "error 99 (new)"),
        (2, "plain words", "plain words"),
        (2, "", "the app raised an error"),
    ],
)
def test_a_code_is_told_by_what_it_means(code, text, said):
    found = reason(code, text)
    assert all(part in found for part in said.split(" .* "))


def test_words_from_outside_are_cut():
    assert len(reason(2, "x" * 5000)) == len(reason(5, "y" * 5000)) == 1000


@pytest.mark.parametrize(
    ("code", "text", "passing"),
    [
        (5, "Node Unavailable", True),
        (8, "", True),
        (3, "", True),
        (2, "<class 'tailweave.clients.app.SiloError'>:<'the silo failed at retrain (OSError)'>", True),
        (2, "<class 'tailweave.protocols.refusals.Refusal'>:<'not SiloError'>", False),
        (1, "", False),
        (7, "", False),
    ],
)
def test_what_may_pass_is_asked_again_and_a_refusal_is_not(code, text, passing):
    assert may_pass(code, text) is passing
