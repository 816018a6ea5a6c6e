# SPDX-License-Identifier: Apache-2.0
"""What documents release: each moves a sketch by its own, and a moved file of them has the same ledger."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from one_host import edit, kit

from tailweave.clients import generators
from tailweave.clients.features import fit_features
from tailweave.clients.node import _real_silo, open_node
from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.policy import PolicyError
from tailweave.clients.samples import TEXT, Samples
from tailweave.clients.summarise_round import summarise
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.features.text import HiddenStates, TfIdf
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec, TransformerSpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Summarise
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.references import sliced
from tailweave.protocols.streams import stream
from tailweave.simulation.deploy.node_settings import load_node

pytest.importorskip("opendp")

WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
SKETCH = SlicedReference(kind="sliced", directions=4, coefficients=2)


def documents(seed: int = 0, count: int = 300) -> list[str]:
    rng = stream(seed, "documents")
    return [" ".join(rng.choice(WORDS, int(rng.integers(1, 20)))) for _ in range(count)]


def features_of(kind: str) -> FeatureMap:
    samples = Samples.of(documents(9, 80), sort=TEXT)
    if kind == "tf-idf":
        spec = TfIdf(kind="tf-idf", dimensions=3, columns=64)
        return fit_features(spec, samples, rng=stream(0, "features"))
    generator = LanguageModelSpec(
        kind="language-model",
        network=TransformerSpec(vocabulary=300, width=16, layers=1, heads=2),
        temperature=1.0,
        first_epochs=1,
        device="cpu",
    )
    base = generators.fit(generator, samples, rng=stream(0, "fit"))
    spec = HiddenStates(kind="hidden-states", dimensions=3)
    return fit_features(spec, samples, base=base, rng=stream(0, "features"))


@pytest.mark.parametrize("kind", ["tf-idf", "hidden-states"])
def test_a_document_has_the_bits_beside_others_that_it_has_alone(kind):
    features = features_of(kind)
    texts = [*documents(count=8), "", "x" * 3000, "\ud7ff\U0001f40d", "<|endoftext|>"]
    rows = Samples.of(texts, sort=TEXT).values
    together = features.alike(rows)
    for place in range(len(rows)):
        assert together[place].tobytes() == features.alike(rows[place : place + 1])[0].tobytes()
    backwards = features.alike(rows[::-1])[::-1]
    assert backwards.tobytes() == together.tobytes()
    assert np.allclose(together, features(rows), atol=1e-4)  # single precision within


@pytest.mark.parametrize("kind", ["tf-idf", "hidden-states"])
def test_a_release_moves_by_the_sketch_of_the_one_document_that_is_added(kind):
    features, texts = features_of(kind), documents(count=30)
    space, privacy = features.space(5), PrivacySpec(epsilon=2.0, min_rows=10)
    released = [
        gate.release(
            Samples.of(some, sort=TEXT).values,
            SKETCH,
            features,
            privacy,
            seed=5,
            noise=SeededNoise(stream(0, "noise")),
            rng=stream(0, "release"),
            charge=lambda cost: None,
        ).arrays()["sums"]
        for some in (texts, [*texts, "a loop"])
    ]
    alone = sliced.summarise(features.alike(Samples.of(["a loop"], sort=TEXT).values), SKETCH, space).sums
    moved = released[1] - released[0]  # the same seeded noise in both
    grid = np.abs(moved - alone).max()
    assert grid < 1e-2 * np.abs(alone).max()


def write(path: Path, texts: list[str], **more: str) -> None:
    path.write_text("".join(json.dumps({"text": text} | more) + "\n" for text in texts), encoding="utf-8")


@pytest.fixture
def silo(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return text_kit(tmp_path / "one", documents())


def text_kit(folder: Path, texts: list[str], name: str = "north", **more: str) -> Path:
    silo = kit(folder, name=name)
    edit(silo, "data: data.csv", "data: own.jsonl\ntext: true")
    write(silo / "own.jsonl", texts, **more)
    return silo


FEATURES = features_of("tf-idf")


def ask(silo: Path, seed: int = 0) -> bytes:
    _real_silo.cache_clear()  # on a real node each message has a process of its own
    node = open_node(load_node(silo).node_config(), {}, seed=0)
    question = Summarise(
        run="any",
        seed=seed,
        reference=SKETCH,
        privacy=PrivacySpec(epsilon=2.0),
        arrays=with_prefix("features", FEATURES.arrays()),
    )
    return summarise(node, question).arrays["sums"].tobytes()


def moved(silo: Path, folder: Path) -> Path:
    other = text_kit(folder / "two", [], "hospital")
    (silo / "own.jsonl").replace(other / "own.jsonl")
    shutil.rmtree(silo.parents[1])
    return other


def reordered(silo: Path, folder: Path) -> Path:
    return text_kit(folder / "two", documents()[::-1], "hospital", note="other keys beside")


def as_lines(silo: Path, folder: Path) -> Path:
    other = text_kit(folder / "two", [], "hospital")
    edit(other, "data: own.jsonl", "data: own.txt")
    (other / "own.txt").write_text("\n".join(documents()), encoding="utf-8")
    return other


def grown(silo: Path, folder: Path) -> Path:
    return text_kit(folder / "two", [*documents(), *documents(1, 900)], "hospital")


@pytest.mark.parametrize("way", [moved, reordered, as_lines, grown], ids=lambda way: way.__name__)
def test_documents_are_known_again(silo, tmp_path, way):
    first = ask(silo)
    after = way(silo, tmp_path)
    assert ask(after) == first
    with pytest.raises(BudgetError, match="1 releases of these data were charged"):
        ask(after, seed=1)


def test_other_documents_have_a_ledger_of_their_own(silo, tmp_path):
    first = ask(silo)
    assert ask(text_kit(tmp_path / "two", documents(7), "hospital")) != first


def test_too_few_documents_release_nothing(tmp_path, silo):
    few = text_kit(tmp_path / "few", documents(3, 150), "small")
    with pytest.raises(PolicyError, match="fewer than min-rows = 200 rows"):
        ask(few)
    assert not list((few / "state").rglob("ledger.jsonl"))
