# SPDX-License-Identifier: Apache-2.0
"""The messages of FedAvg: across the wire, and what is refused before a model is touched."""

import numpy as np
import pytest

from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.records import decode, encode

HEAD = {"run": "r", "seed": 0, "turn": 2}
MODEL = {"model/mean": np.array([1.0, 2.0]), "model/second": np.array([[2.0, 2.0], [2.0, 5.0]])}
ASKED = {
    "generator": {"kind": "gaussian", "start": "federated"},
    "privacy": {"allow-parameter-release": True},
    "arrays": MODEL,
}


def test_both_come_through():
    question = FitParameters(**HEAD, **ASKED)
    again = decode(encode(question), FitParameters)
    assert again.model_dump() == question.model_dump()
    assert again.part("model")["second"].tolist() == [[2.0, 2.0], [2.0, 5.0]]
    reply = decode(encode(FitParametersReply(**HEAD, silo="a", arrays=MODEL)), FitParametersReply)
    assert (reply.silo, reply.turn, sorted(reply.part("model"))) == ("a", 2, ["mean", "second"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"generator": {"kind": "gaussian"}}, "start: federated only"),
        ({"privacy": {}}, "allow-parameter-release: true"),
        ({"privacy": {"allow-parameter-release": True, "epsilon": 2.0}}, "epsilon: null"),
        ({"turn": 0}, "greater than or equal to 1"),
        ({"arrays": {"model/mean": np.zeros(2)}}, "parameters of a gaussian are mean, second"),
        ({"arrays": MODEL | {"model/mean": np.array([np.nan, 0.0])}}, "finite"),
        ({"arrays": MODEL | {"model/second": np.array([[2.0, 0.0], [2.0, 5.0]])}}, "symmetric"),
    ],
)
def test_questions_that_may_not_be_asked(change, reason):
    with pytest.raises(ValueError, match=reason):
        FitParameters(**HEAD | ASKED | change)


@pytest.mark.parametrize("arrays", [{}, MODEL | {"rows": np.eye(2)}])
def test_a_reply_is_a_model_and_nothing_else(arrays):
    with pytest.raises(ValueError, match="'model/...' and no others"):
        FitParametersReply(**HEAD, silo="a", arrays=arrays)
