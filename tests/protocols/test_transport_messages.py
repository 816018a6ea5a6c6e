# SPDX-License-Identifier: Apache-2.0
"""Question and answer of a round ``transport``, on the wire and back, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.transported import BarycenterReference, GeodesicReference
from tailweave.protocols.messages import TransportSupport, TransportSupportReply
from tailweave.protocols.records import MessageError, decode, encode

SPEC = GeodesicReference(kind="geodesic", support=3, rounds=2)
HEAD = {"run": "a-run", "seed": 4, "reference": SPEC, "turn": 2}


def question(**fields):
    arrays = fields.pop("arrays", {"support": np.arange(6.0).reshape(3, 2)})
    return TransportSupport(**HEAD | {"privacy": PrivacySpec()} | fields, arrays=arrays)


def test_both_go_over_the_wire_and_back():
    asked = decode(encode(question()), TransportSupport)
    assert (asked.reference, asked.turn, asked.type) == (SPEC, 2, "query.transport")
    assert asked.arrays["support"].tolist() == [[0, 1], [2, 3], [4, 5]]
    reply = TransportSupportReply(**HEAD, silo="silo-1", arrays={"moved": np.ones((3, 2))})
    back = decode(encode(reply), TransportSupportReply)
    assert (back.silo, back.reference, back.arrays["moved"].shape) == ("silo-1", SPEC, (3, 2))


def test_the_two_kinds_are_told_apart():
    barycenter = BarycenterReference(kind="barycenter", support=3)
    assert decode(encode(question(reference=barycenter)), TransportSupport).reference == barycenter


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arrays": {}}, "array 'support' must have 3 rows, got None"),
        ({"arrays": {"support": np.zeros((4, 2))}}, r"must have 3 rows, got \(4, 2\)"),
        ({"arrays": {"support": np.zeros(3)}}, r"must have 3 rows, got \(3,\)"),
        ({"privacy": PrivacySpec(epsilon=1.0)}, "carry no noise: epsilon must be null, got 1"),
        ({"turn": 0}, "greater than or equal to 1"),
    ],
)
def test_questions_that_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        question(**fields)


@pytest.mark.parametrize(
    "arrays", [{}, {"moved": np.zeros(3)}, {"moved": np.zeros((3, 2)), "x": np.zeros(1)}]
)
def test_answers_that_are_refused(arrays):
    with pytest.raises(ValidationError, match="a transport reply needs one matrix 'moved', got arrays"):
        TransportSupportReply(**HEAD, silo="silo-1", arrays=arrays)


def test_an_answer_that_is_not_finite_is_refused():
    reply = TransportSupportReply(**HEAD, silo="silo-1", arrays={"moved": np.ones((3, 2))})
    reply.arrays["moved"][1, 1] = np.nan
    with pytest.raises(MessageError, match="array 'moved' must be finite, got nan"):
        decode(encode(reply), TransportSupportReply)
