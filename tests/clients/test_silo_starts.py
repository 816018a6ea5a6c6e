# SPDX-License-Identifier: Apache-2.0
"""What a silo starts from: FedAvg's model, the base as sent, or its own file if that is the run's."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.hello_round import hello
from tailweave.clients.retrain_round import retrain
from tailweave.clients.starts import base_samples, check_base, first_model, public_base
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.base_file import base_digest, save_base
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.messages import Hello
from tailweave.protocols.refusals import Refusal

KIND = "gaussian-mixture"
FILE = GaussianMixtureSpec(kind=KIND, components=2, start={"path": "base"})
AVERAGED = GaussianMixtureSpec(kind=KIND, components=2, start="federated")


@pytest.fixture
def with_file(node, kit, tmp_path):
    """The node with the run's base in a file of its own, and the digest."""
    path = tmp_path / "own" / "base.npz"
    save_base(path, KIND, kit.base)
    return replace(node, base=path), base_digest(KIND, kit.base)


def asked(digest):
    return Hello(run="r", seed=0, base_digest=digest)


def test_a_silo_with_the_same_file_says_hello_and_starts_from_it(with_file, retrain_question, kit):
    node, digest = with_file
    assert hello(node, asked(digest)).silo == "silo-0"
    question = retrain_question(base={}, generator=FILE, base_digest=digest)
    for model in (first_model(node, question), public_base(node, question)):
        assert model.arrays()["means"].tolist() == kit.base["means"].tolist()
    sent = retrain_question()
    alone = replace(node, state=node.state / "other")
    assert retrain(node, question).rows() == retrain(alone, sent).rows()


def test_a_silo_without_a_file_or_with_another_is_refused_with_the_digests(with_file, node, kit):
    other, digest = with_file
    with pytest.raises(Refusal, match=f"digest {digest[:12]}.*this silo has none: set base in its node.yaml"):
        hello(node, asked(digest))
    save_base(other.base, KIND, kit.base | {"means": kit.base["means"] + 1.0})
    with pytest.raises(
        Refusal, match=f"another than the run's: a {KIND}.*wanted is digest {digest[:12]}"
    ) as said:
        hello(other, asked(digest))
    assert str(other.base) not in str(said.value)


def test_a_file_that_changed_after_hello_is_refused(with_file, retrain_question, kit):
    node, digest = with_file
    save_base(node.base, KIND, kit.base | {"means": kit.base["means"] + 1.0})
    with pytest.raises(Refusal, match="another than the run's"):
        retrain(node, retrain_question(base={}, generator=FILE, base_digest=digest))


def test_a_torn_file_is_an_error_of_the_node_and_not_a_text_for_the_server(with_file):
    node, digest = with_file
    node.base.write_bytes(node.base.read_bytes()[:100])
    with pytest.raises(ValueError, match="not a readable base generator") as said:
        check_base(node, digest)
    assert not isinstance(said.value, Refusal)


def test_generation_0_is_fedavgs_model_and_the_public_base_stays_what_it_was(node, retrain_question, kit):
    start = with_prefix("start", kit.base | {"means": kit.base["means"] + 1.0})
    question = retrain_question(generator=AVERAGED)
    question = question.model_copy(update={"arrays": question.arrays | start})
    np.testing.assert_array_equal(first_model(node, question).arrays()["means"], kit.base["means"] + 1.0)
    np.testing.assert_array_equal(public_base(node, question).arrays()["means"], kit.base["means"])
    assert base_samples(node, question) is None  # of all silos: no node has them
