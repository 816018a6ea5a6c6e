# SPDX-License-Identifier: Apache-2.0
"""A silo killed by SIGKILL while it trains a network: asked again, it answers what it would have answered."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tailweave.clients import generators
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import Samples
from tailweave.clients.telling import TOLD
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec
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
    assert left == ["latest.npz", "model-0.safetensors", TOLD]
    again = retrain(node, question)
    assert again.names == whole.names
    assert again.rows() == whole.rows()
