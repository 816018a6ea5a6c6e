# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: messages in, messages out, and no cell of private data in an error."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from tailweave.clients import app as client_app
from tailweave.clients.app import app
from tailweave.clients.release.policy import PolicyError
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import (
    Hello,
    HelloReply,
    RetrainReply,
    Summarise,
    SummariseReply,
)
from tailweave.protocols.records import MessageError, decode, encode

SPEC = SlicedReference(kind="sliced", directions=4, coefficients=2)


@pytest.fixture(autouse=True)
def _identity() -> None:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1


@pytest.fixture
def context(node, tmp_path: Path) -> Context:
    values = node.silo.train.values
    path = tmp_path / "north.csv"
    path.write_text(
        "a,b,c\n" + "\n".join(",".join(map(repr, row)) for row in values.tolist()), encoding="utf-8"
    )
    return Context(
        1,
        5,
        {
            "data": str(path),
            "name": "north",
            "state-dir": str(tmp_path / "s"),
            "ledgers": str(tmp_path / "host"),
        },
        RecordDict(),
        {},
    )


def send(content: RecordDict, kind: str, context: Context) -> RecordDict:
    message = Message(content, 5, kind)
    message.metadata.__dict__["_message_id"] = "question"
    reply = app(message, context)
    assert reply.metadata.reply_to_message_id == "question"
    return reply.content


def _ask_for_summary(context, kit):
    question = Summarise(
        run="r",
        seed=7,
        reference=SPEC,
        privacy=PrivacySpec(),
        arrays=with_prefix("features", kit.features.arrays()),
    )
    return decode(send(encode(question), "query.summarise", context), SummariseReply)


def test_a_real_node_refuses_an_exact_release_unless_its_owner_allows_it(context, kit, tmp_path):
    with pytest.raises(PolicyError, match="epsilon null asked, allow-no-privacy is false"):
        _ask_for_summary(context, kit)
    assert not list(Path(str(context.node_config["state-dir"])).rglob("*.npz"))


def test_the_three_questions_are_answered(context, kit, retrain_question, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("allow-no-privacy: true\nlifetime-epsilon: null\nmin-rows: 20\n", encoding="utf-8")
    context.node_config["policy"] = str(policy)
    hello = decode(send(encode(Hello(run="r", seed=7)), "query.hello", context), HelloReply)
    assert (hello.silo, hello.columns, hello.rows_at_least) == ("north", 3, 50)
    summary = _ask_for_summary(context, kit)
    assert summary.arrays["sums"].shape == (4, 2)
    assert _ask_for_summary(context, kit).arrays["sums"].tobytes() == summary.arrays["sums"].tobytes()
    reply = decode(send(encode(retrain_question(0, 1)), "train.retrain", context), RetrainReply)
    assert (reply.kept, reply.rows()) == (True, {})  # arm siloed: for the owner alone


def test_parameters_are_given_only_to_whom_the_owner_allows_them(context, tmp_path):
    model = {"model/mean": np.zeros(3), "model/second": np.eye(3)}
    question = FitParameters(
        run="r",
        seed=7,
        generator={"kind": "gaussian", "start": "federated"},
        privacy={"allow_parameter_release": True},
        turn=1,
        arrays=model,
    )
    policy = tmp_path / "policy.yaml"
    context.node_config["policy"] = str(policy)
    allowed = "allow-no-privacy: true\nlifetime-epsilon: null\nmin-rows: 20\n"
    policy.write_text(allowed, encoding="utf-8")
    with pytest.raises(PolicyError, match="allow-parameter-release is false"):
        send(encode(question), "train.fit", context)
    policy.write_text(allowed + "allow-parameter-release: true\n", encoding="utf-8")
    first = send(encode(question), "train.fit", context)
    assert decode(first, FitParametersReply).part("model")["mean"].shape == (3,)
    again = send(encode(question), "train.fit", context)
    assert again["arrays"]["model/second"].data == first["arrays"]["model/second"].data


def test_a_malformed_question_is_refused_before_data_are_touched(context):
    context.node_config["data"] = "missing.csv"
    with pytest.raises(MessageError, match="records must be"):
        send(RecordDict({"message": ConfigRecord({})}), "query.hello", context)


def test_a_question_of_another_schema_is_refused(context):
    content = encode(Hello(run="r", seed=7))
    content["message"]["schema-version"] = 1
    with pytest.raises(MessageError, match="schema version must be 10, got 1"):
        send(content, "query.hello", context)


def test_a_bad_cell_is_logged_on_the_node_and_never_sent(context, caplog):
    path = Path(str(context.node_config["data"]))
    path.write_text(path.read_text() + "\n1.0,2.0,HIV-positive-4711\n", encoding="utf-8")
    with (
        caplog.at_level(logging.ERROR, "tailweave.clients"),
        pytest.raises(ValueError, match="own log") as caught,
    ):
        send(encode(Hello(run="r", seed=7)), "query.hello", context)
    error: BaseException | None = caught.value
    assert "4711" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert "4711" in caplog.text  # whoever owns the data can find it


def test_an_unknown_question_is_refused(context):
    with pytest.raises(ValueError, match="query"):
        send(encode(Hello(run="r", seed=7)), "query.anything", context)


@pytest.mark.parametrize("module", ["tailweave.clients.app", "tailweave.clients.node"])
def test_loading_the_app_or_looking_at_a_node_imports_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in ('sklearn', 'scipy', 'ot') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_oracle_is_refused_on_a_real_node(context, retrain_question):
    question = retrain_question(0, 1, arm={"name": "oracle", "rule": "herding", "reference": "oracle"})
    with pytest.raises(ValueError, match="simulation only"):
        send(encode(question), "train.retrain", context)


@pytest.mark.parametrize(
    ("node", "given", "config"),
    [
        ({"partition-id": 0}, {"config": ""}, "home/tailweave/run-1/config.yaml"),
        ({"partition-id": 0}, {"config": "", "out": "/there"}, "/there/config.yaml"),
        ({"partition-id": 0}, {"config": "a.yaml"}, "a.yaml"),
        ({"data": "rows.csv"}, {"config": ""}, ""),
    ],
)
def test_a_simulated_silo_finds_the_experiment_that_the_server_chose(node, given, config, monkeypatch):
    monkeypatch.setenv("FLWR_HOME", "home")
    context = Context(1, 1, node, RecordDict(), given)
    assert client_app._settings(context, "run-1")["config"] == config
