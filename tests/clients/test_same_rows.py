# SPDX-License-Identifier: Apache-2.0
"""A node goes on with the rows that an arm began with; what an arm never sees may change."""

import os
from dataclasses import replace

import pytest

from tailweave.clients.owner_report import reports
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import DataError
from tailweave.protocols.streams import stream


def changed(node):
    train = node.silo.train
    values = train.values.copy()
    values[3, 1] += 0.5
    return replace(node, silo=replace(node.silo, train=replace(train, values=values)))


def test_an_arm_of_own_rows_is_not_gone_on_with_after_they_changed(node, retrain_question):
    first = retrain(node, retrain_question(0, 1))
    with pytest.raises(DataError, match="the rows of silo-0 have changed since arm siloed began in this run"):
        retrain(changed(node), retrain_question(0, 2))
    again = retrain(node, retrain_question(0, 1))
    assert {n: a.tobytes() for n, a in again.arrays.items()} == {
        n: a.tobytes() for n, a in first.arrays.items()
    }
    kept = next(node.state.rglob("rows.blake2b"))
    assert os.stat(kept).st_mode & 0o777 == 0o600


def test_the_server_is_not_told_where_the_owner_keeps_the_numbers(node, retrain_question):
    shut = replace(node, policy=node.policy.model_copy(update={"allow_own_metrics": False}))
    answers = [retrain(one, retrain_question(0, 1 + turn)) for turn, one in enumerate((shut, changed(shut)))]
    assert [(answer.kept, answer.names, answer.arrays) for answer in answers] == [(True, (), {})] * 2
    said = [line["failed"] for line in reports(shut.state, "test-run") if "failed" in line]
    assert [("have changed since arm siloed" in line) for line in said] == [True]


def test_an_arm_that_sees_no_own_rows_does_not_look(node, retrain_question):
    asked = retrain_question(0, 1, arm={"name": "plain", "rule": "random"})
    public = {"held-out/features": stream(3, "public").normal(size=(40, 2))}
    asked = asked.model_copy(update={"arrays": asked.arrays | public})
    one = retrain(node, asked)
    other = retrain(replace(changed(node), state=node.state), asked.model_copy(update={"stop": 2}))
    assert other.rows()[1] == one.rows()[1]
    assert not list(node.state.rglob("rows.blake2b"))
