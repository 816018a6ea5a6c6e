# SPDX-License-Identifier: Apache-2.0
"""The four messages of a secure sum: across the wire and back, and every one that is none."""

import numpy as np
import pytest
from pydantic import ValidationError

from tailweave.protocols.messages import Summarise, SummariseReply
from tailweave.protocols.records import MessageError, decode, encode
from tailweave.protocols.secure_sum_messages import (
    OfferKey,
    OfferKeyReply,
    SendMasked,
    SendMaskedReply,
    SignedKey,
)

BASE = {"run": "demo", "seed": 3}
PRIVACY = {"epsilon": 2.0, "secure_aggregation": True, "honest_silos": 3}
SUM = {**BASE, "reference": {"kind": "sliced"}, "privacy": PRIVACY, "number": 1}
KEYS = {"public": "0a" * 32, "signature": "1b" * 64, "identity": "2c" * 32}
ROSTER = tuple({"silo": f"silo-{i}", **KEYS} for i in range(3))
FOUR = [
    OfferKey(**SUM, silos=("a", "b", "c"), arrays={"features/offset": np.arange(3.0)}),
    OfferKeyReply(**BASE, silo="a", number=7, **KEYS),
    SendMasked(**SUM, roster=ROSTER, arrays={"features/offset": np.arange(3.0)}),
    SendMaskedReply(**SUM, silo="a", noise="system", arrays={"words": np.array([[0.0], [2.0**32 - 1]])}),
]


@pytest.mark.parametrize("message", FOUR, ids=lambda m: type(m).__name__)
def test_what_is_sent_arrives(message):
    got = decode(encode(message), type(message))
    assert got.model_dump() == message.model_dump()
    assert {n: a.tobytes() for n, a in got.arrays.items()} == {
        n: a.tobytes() for n, a in message.arrays.items()
    }


def test_kinds_and_types():
    assert [(m.kind, getattr(m, "type", None)) for m in FOUR] == [
        ("offer", "query.offer"),
        ("offer", None),
        ("masked", "query.masked"),
        ("masked", None),
    ]
    assert FOUR[1].key == SignedKey(silo="a", **KEYS)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (OfferKey, {"privacy": {"epsilon": 2.0}}, "needs privacy with secure-aggregation: true and epsilon"),
        (OfferKey, {"privacy": {**PRIVACY, "epsilon": None}}, "secure-aggregation: true and epsilon set"),
        (OfferKey, {"privacy": {**PRIVACY, "honest_silos": 2}}, "greater than or equal to 3"),
        (OfferKey, {"number": 0}, "greater than or equal to 1"),
        (OfferKey, {"number": 10**7}, "less than or equal to 1000000"),
        (OfferKey, {"silos": ("A b",)}, "should match pattern"),
        (OfferKey, {"silos": ("a",) * 1001}, "at most 1000"),
        (OfferKey, {"reference": {"kind": "quantized"}}, "Input should be 'sliced'"),
        (
            SendMasked,
            {"reference": {"kind": "sliced", "basis": "histogram", "aggregate": "barycenter"}},
            "a secure sum gives a mixture, got aggregate: barycenter",
        ),
        (SendMasked, {"roster": ({"silo": "a", **KEYS, "public": "0A" * 32},)}, "should match pattern"),
        (SendMasked, {"roster": ({"silo": "a", **KEYS, "signature": "0a" * 32},)}, "should match pattern"),
        (SendMasked, {"roster": ({"silo": "a", **KEYS, "more": 1},)}, "Extra inputs"),
        (OfferKeyReply, {"identity": "2c" * 31}, "should match pattern"),
        (SendMaskedReply, {"noise": "none"}, "Input should be 'seeded' or 'system'"),
    ],
)
def test_what_does_not_fit_is_refused(kind, change, said):
    whole = {
        OfferKey: {**SUM, "silos": ("a", "b", "c")},
        OfferKeyReply: {**BASE, "silo": "a", "number": 7, **KEYS},
        SendMasked: {**SUM, "roster": ROSTER},
        SendMaskedReply: {**SUM, "silo": "a", "noise": "system"},
    }[kind]
    assert kind(**whole)
    with pytest.raises(ValidationError, match=said):
        kind(**{**whole, **change})


def test_a_question_is_not_taken_for_its_answer_nor_for_the_other_question():
    with pytest.raises(MessageError, match="a masked message was expected, got 'offer'"):
        decode(encode(FOUR[0]), SendMasked)
    with pytest.raises(MessageError, match="unknown"):
        decode(encode(FOUR[0]), OfferKeyReply)


def test_a_summary_is_never_asked_for_under_masks():
    asked = {**BASE, "reference": {"kind": "sliced"}, "privacy": PRIVACY}
    with pytest.raises(ValidationError, match="asked for by offer and masked, not by summarise"):
        Summarise(**asked)
    assert SummariseReply(**{**asked, "privacy": {"epsilon": 2.0}}, silo="a", noise="system")
