# SPDX-License-Identifier: Apache-2.0
"""What Flower's error codes mean for a silo, in words that say where to look."""

_LONGEST_REASON = 1000
"""Of a silo's own words for an error; the text comes from outside."""
_RAISED = 2
_PASSING = (3, 4, 5, 8)
"""Codes of what may be over when the question is put again."""
_FAILED = "SiloError"
"""Class that a silo raises when it fails; when it refuses, it raises another and will again."""
_MEANINGS = {
    1: "the app could not be loaded on the node; is the same tailweave installed there?",
    3: "the message did not come through",
    4: "the answer was lost on its way",
    5: "the node cannot be reached",
    6: "the node's own conditions refuse the app",
    7: "the node refuses the app bundle",
    8: "the app's process on the node was killed, or ran out of memory",
}


def reason(code: int, text: str) -> str:
    """Return why a silo did not answer.

    Args:
        code: Flower's error code.
        text: What came with it: ``<class 'ValueError'>:<'...'>`` where a handler raised.

    Returns:
        The handler's own words, or the meaning of the code with Flower's words behind it.
    """
    head, mark, tail = text.partition(">:<'")
    if mark and head.startswith("<class"):
        return tail.removesuffix("'>")[:_LONGEST_REASON]
    if code == _RAISED:
        return (text or "the app raised an error")[:_LONGEST_REASON]
    meaning = _MEANINGS.get(code, f"error {code}")
    return f"{meaning} ({text})"[:_LONGEST_REASON] if text else meaning


def may_pass(code: int, text: str) -> bool:
    """Tell whether the same question may be answered when it is put again.

    Args:
        code: Flower's error code.
        text: What came with it.

    Returns:
        True for a node that was away or a silo that failed; False for one that refuses.
    """
    return code in _PASSING or (code == _RAISED and _FAILED in text.partition(">:<'")[0])
