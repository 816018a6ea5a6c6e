# SPDX-License-Identifier: Apache-2.0
"""A silo killed by SIGKILL while it trains a network: asked again, it answers what it would have answered."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_language_model import corpus, fitted, spec_of

from tailweave.clients import generators
from tailweave.clients.data.silo import Silo
from tailweave.clients.features import fit_features
from tailweave.clients.generators import Course
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import Samples
from tailweave.clients.telling import TOLD
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.kinds.features.text import TfIdf
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec
from tailweave.protocols.kinds.generators.language_model import LoraSpec
from tailweave.protocols.streams import stream

GENERATOR = DiffusionSpec(
    kind="diffusion",
    network=MlpSpec(hidden=16, layers=1),
    device="cpu",
    first_epochs=1,
    epochs=60,
    batch_size=4,
    sampling_steps=2,
)
ARMS = [
    {"name": "no-selection", "rule": "random"},
    {"name": "siloed", "rule": "herding", "reference": "local"},
    {"name": "anchored", "rule": "herding", "reference": "public"},
]
DEADLINE = 200.0


def killed_while_training(node, question) -> list[str]:
    """Answer in a child, kill it when a training has told its first step; return what it left."""
    folder = Path(node.state) / question.run / f"seed-{question.seed}" / node.silo.name / question.arm.name
    folder /= "own"  # each arm is measured against own held-out rows
    child = os.fork()
    if child == 0:
        try:
            retrain(node, question)
        finally:
            os._exit(0)
    end = time.monotonic() + DEADLINE
    while not (folder / TOLD).exists() and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it answered before it could be killed"
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize(
    "arm",
    [ARMS[0], *(pytest.param(arm, marks=pytest.mark.slow) for arm in ARMS[1:])],
    ids=lambda arm: arm["name"],
)
def test_a_killed_training_is_made_again_with_the_same_answer(node, kit, retrain_question, tmp_path, arm):
    rows = node.silo.train.values
    base = generators.fit(GENERATOR, Samples.of(rows), rng=stream(0, "base")).arrays()
    question = retrain_question(arm=arm, generator=GENERATOR, base=base)
    whole = retrain(replace(node, state=tmp_path / "whole"), question)
    left = killed_while_training(node, question)
    assert left == ["latest.npz", "model-0.safetensors", "rows.blake2b", TOLD]
    again = retrain(node, question)
    assert again.names == whole.names
    assert again.rows() == whole.rows()


def killed_with_a_kept_state(path: Path, fit: Callable[[Course], object]) -> None:
    """Fit in a child and kill it when it has kept the state of an unfinished training."""
    child = os.fork()
    if child == 0:
        try:
            fit(Course(unfinished=path, keep_seconds=0.0))
        finally:
            os._exit(0)
    end = time.monotonic() + DEADLINE
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was done before it could be killed"


@pytest.mark.parametrize(
    ("lora", "first"),
    [
        ({"rank": 2, "dropout": 0.5}, False),
        *(
            pytest.param(lora, first, marks=pytest.mark.slow)
            for lora in (None, {"rank": 2})
            for first in (True, False)
        ),
    ],
)
def test_a_language_model_goes_on_from_what_was_kept(tmp_path, lora, first):
    epochs = {"first_epochs": 50 if first else 1, "epochs": 50}
    spec = spec_of(**epochs, lora=None if lora is None else LoraSpec(**lora))
    previous = None if first else fitted(spec)

    def fit(course: Course) -> dict:
        rng = stream(1, "later")
        return generators.fit(spec, corpus(16), rng=rng, previous=previous, course=course).arrays()

    whole, path, told = fit(Course()), tmp_path / "training.safetensors", []
    killed_with_a_kept_state(path, fit)
    again = fit(Course(tell=lambda done, total: told.append((done, total)), unfinished=path))
    assert told[0][0] > 2, "the kept state was not taken up"  # an epoch has two steps
    assert told[-1] == (100, 100)
    assert {name: part.tobytes() for name, part in again.items()} == {
        name: part.tobytes() for name, part in whole.items()
    }
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, {"rank": 2}], ids=["full", "lora"])
def test_a_silo_killed_while_it_trains_a_language_model_answers_the_same(
    node, retrain_question, tmp_path, lora
):
    generator = spec_of(epochs=40, lora=None if lora is None else LoraSpec(**lora))
    base = fitted(generator)
    features = fit_features(
        TfIdf(kind="tf-idf", dimensions=4, columns=64), corpus(40, seed=1), rng=stream(0, "features")
    )
    question = retrain_question(arm=ARMS[1], generator=generator, base=base.arrays())
    plain = {name: part for name, part in question.arrays.items() if not name.startswith("features")}
    question = question.model_copy(update={"arrays": plain | with_prefix("features", features.arrays())})
    texts = replace(node, silo=Silo("silo-0", corpus(60, seed=2), corpus(30, seed=3)))
    whole = retrain(replace(texts, state=tmp_path / "whole"), question)
    assert killed_while_training(texts, question) == [
        "latest.npz",
        "model-0.safetensors",
        "rows.blake2b",
        TOLD,
    ]
    again = retrain(texts, question)
    assert again.names == whole.names
    assert "perplexity" in again.names
    assert again.rows() == whole.rows()
