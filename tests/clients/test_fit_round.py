# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in a round ``fit``, what its ledger says then, and when it does not answer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.fit_round import fit
from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.fit_messages import FitParameters

OPEN = Policy(
    min_rows=10,
    releases_per_data_version=2,
    lifetime_epsilon=None,
    allow_parameter_release=True,
    allow_no_privacy=True,
)


def question(turn=1, at=0.0, **changes):
    model = {"mean": np.full(3, at), "second": (1.0 + at**2) * np.eye(3)}
    generator = {"kind": "gaussian", "start": "federated", **changes}
    privacy = {"allow-parameter-release": True}
    return FitParameters(
        run="r", seed=7, generator=generator, privacy=privacy, turn=turn, arrays=with_prefix("model", model)
    )


def charges(node):
    path = node.state / "releases" / node.silo.name / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "charge"]


def test_the_answer_is_the_moments_of_its_rows(node):
    reply, rows = fit(node, question(turn=3)), node.silo.train.values
    assert (reply.silo, reply.turn) == ("silo-0", 3)
    np.testing.assert_allclose(reply.arrays["model/mean"], rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(reply.arrays["model/second"], rows.T @ rows / len(rows), atol=1e-12)


def test_a_repeated_question_gets_the_same_bytes_at_one_charge(node):
    one = fit(node, question())
    again = fit(node, question(turn=2, **{"federated-rounds": 9}))  # neither is part of what leaves
    assert {n: a.tobytes() for n, a in again.arrays.items()} == {
        n: a.tobytes() for n, a in one.arrays.items()
    }
    assert [(line["epsilon"], line["rho"], line["noise"]) for line in charges(node)] == [(None, None, "none")]
    fit(node, question(at=1.0))
    fit(node, question(**{"federated-steps": 2}))
    assert len(charges(node)) == 3


def test_the_default_policy_refuses(node):
    with pytest.raises(PolicyError) as refused:
        fit(replace(node, policy=Policy()), question())
    assert "allow-no-privacy is false" in str(refused.value)
    assert "parameters of the generator asked, allow-parameter-release is false" in str(refused.value)
    assert not (node.state / "releases").exists()


@pytest.mark.parametrize("shut", ["allow_parameter_release", "allow_no_privacy"])
def test_an_owner_must_say_both(node, shut):
    with pytest.raises(PolicyError, match=f"{shut.replace('_', '-')} is false"):
        fit(replace(node, policy=OPEN.model_copy(update={shut: False})), question())


def test_an_owner_bounds_the_rounds(node):
    node = replace(node, policy=OPEN)
    fit(node, question(at=0.0))
    fit(node, question(at=1.0))
    with pytest.raises(BudgetError, match="2 releases of these data were charged"):
        fit(node, question(at=2.0))


def test_too_few_rows_are_refused(node):
    with pytest.raises(PolicyError, match="fewer than min-rows = 61 rows"):
        fit(replace(node, policy=OPEN.model_copy(update={"min_rows": 61})), question())
