# SPDX-License-Identifier: Apache-2.0
"""A real node with documents of its own, under the default policy: what it tells, and what it keeps."""

from pathlib import Path

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.data.silo import Silo
from tailweave.clients.features import fit_features
from tailweave.clients.node import Node, open_node
from tailweave.clients.owner_report import reports
from tailweave.clients.release.models import check_models
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.features.text import HiddenStates
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec, LoraSpec, TransformerSpec
from tailweave.protocols.messages import Retrain
from tailweave.protocols.records import encode
from tailweave.protocols.streams import stream
from tailweave.protocols.texts import packed

GENERATOR = LanguageModelSpec(
    kind="language-model",
    network=TransformerSpec(vocabulary=300, width=16, layers=1, heads=2),
    temperature=0.8,
    real_tokens=4,
    synthetic_tokens=6,
    first_epochs=2,
    epochs=1,
    device="cpu",
)
SKETCH = {"kind": "sliced", "directions": 8, "coefficients": 3}
ARMS = {
    "random": {"rule": "random"},
    "anchored": {"rule": "herding", "reference": "public"},
    "collaborative": {"rule": "herding", "reference": SKETCH},
    "gated": {"rule": "gated-herding", "reference": SKETCH},
    "siloed": {"rule": "herding", "reference": "local"},
    "own-prompts": {"rule": "random", "generator": {"prompts": "own"}},
    "mixed": {"rule": "surplexity"},
}
TOLD, KEPT = ("random", "anchored", "collaborative", "gated"), ("siloed", "own-prompts", "mixed")
OF_THE_MODEL = {
    "perplexity",
    "top1_mass",
    "top10_mass",
    "next_token_entropy",
    "next_token_gini",
    "distinct_2",
}
OF_OWN_GROUPS = {
    "perplexity_own",
    "perplexity_unseen",
    "group_distance",
    "picked_distance",
    "unseen_share",
    "real_share",
}
WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")


def documents(count: int, *path: str) -> Samples:
    rng = stream(0, "documents", *path)
    texts = [" ".join(rng.choice(WORDS, 9)) for _ in range(count)]
    return Samples.of(texts, rng.choice(["net", "gui"], count), TEXT)


@pytest.fixture(scope="module")
def base():
    return generators.fit(GENERATOR, documents(40, "public"), rng=stream(0, "base"))


@pytest.fixture(scope="module")
def features(base) -> FeatureMap:
    samples = base.sample(60, rng=stream(0, "samples"))
    spec = HiddenStates(kind="hidden-states", dimensions=3)
    return fit_features(spec, samples, base=base, rng=stream(0, "features"))


@pytest.fixture
def ask(base, features):
    """Return a maker of questions about an arm, with public documents to measure against."""
    public = documents(30, "public", "held-out")
    brought = {"features": features(public.values), "texts": packed(public.values.tolist())}

    def make(arm: str, **fields) -> Retrain:
        spec = dict(ARMS[arm])
        generator = GENERATOR.varied(spec.get("generator", {}))
        arrays = with_prefix("base", base.arrays()) | with_prefix("features", features.arrays())
        arrays |= with_prefix("held-out", fields.pop("held_out", brought))
        if isinstance(spec.get("reference"), dict):
            arrays["reference/sketch"] = 0.1 * stream(0, "sketch").normal(size=(8, 3))
        mixed = {"paradigm": "accumulate-select", "include_real": True} if arm == "mixed" else {}
        options = {"generations": 2, "samples": 16, "candidates_per_sample": 2} | mixed
        return Retrain(
            run="run",
            seed=7,
            arm=ArmSpec(name=arm, **spec),
            generator=fields.pop("generator", generator),
            recursion=RecursionSpec(**options),
            evaluation_samples=20,
            start=0,
            stop=2,
            arrays=arrays | fields.pop("arrays", {}),
        )

    return make


def silo_at(state: Path, policy: Policy | None = None, **parts: Samples) -> Node:
    held = {"train": documents(60, "train"), "heldout": documents(20, "heldout")} | parts
    return Node(Silo("north", **held), state, None, None, policy or Policy())


def on_the_wire(node: Node, question: Retrain) -> tuple[object, ...]:
    content = encode(retrain(node, question))
    arrays = {name: (array.shape, array.data) for name, array in content["arrays"].items()}
    return dict(content["message"]), arrays


def test_public_arms_are_told_and_own_text_is_measured_for_its_owner(ask, tmp_path):
    node = silo_at(tmp_path)
    for arm in TOLD:
        reply = retrain(node, ask(arm))
        assert not reply.kept
        assert set(reply.rows()[2]) >= OF_THE_MODEL
        assert not OF_OWN_GROUPS & set(reply.rows()[2])
    for arm in KEPT:
        reply = retrain(node, ask(arm))
        assert (reply.kept, reply.names, reply.arrays) == (True, (), {})
    lines = list(reports(node.state, "run"))
    assert not [line for line in lines if "failed" in line]
    seen = {(line["arm"], line["generation"], line["against"], line["told"]) for line in lines}
    assert seen == {
        (arm, g, against, arm in TOLD and against == "public")
        for arm in ARMS
        for g in range(3)
        for against in ("public", "own")
    }
    assert all(line["perplexity"] > 1.0 for line in lines)
    places = {line["arm"]: line["seen"] for line in lines if line["against"] == "public"}
    assert places["own-prompts"] == ["generator.prompts: own"]
    assert places["siloed"] == ["reference: local"]


@pytest.mark.parametrize("arm", ARMS)
def test_nodes_whose_documents_differ_answer_the_same_bytes(ask, tmp_path, arm):
    others = [
        {"train": documents(60, "other"), "heldout": documents(20, "others")},
        {"train": Samples.of(["", "x"] * 30, sort=TEXT), "heldout": Samples.of(["\x00", "y"], sort=TEXT)},
        {"train": Samples.of(["same"] * 60, ["net"] * 60, TEXT)},
    ]
    wanted = on_the_wire(silo_at(tmp_path / "here"), ask(arm))
    for number, parts in enumerate(others):
        assert on_the_wire(silo_at(tmp_path / f"{number}", **parts), ask(arm)) == wanted


def test_with_the_owners_consent_all_is_told(ask, tmp_path):
    rows = retrain(silo_at(tmp_path, Policy(allow_own_metrics=True)), ask("own-prompts")).rows()
    assert set(rows[2]) >= OF_THE_MODEL
    changed = silo_at(tmp_path / "2", Policy(allow_own_metrics=True), train=documents(60, "other"))
    assert retrain(changed, ask("own-prompts")).rows() != rows  # the comparison is not blind


def test_the_owner_chooses_the_metrics_of_text_too(ask, tmp_path):
    node = silo_at(tmp_path, Policy(metrics=("perplexity", "top10_mass")))
    assert retrain(node, ask("random")).names == ("perplexity", "top10_mass")


def test_texts_that_do_not_stand_beside_features_are_refused(ask, tmp_path):
    with pytest.raises(ValueError, match="held-out must be array features, or with texts, got texts"):
        retrain(silo_at(tmp_path), ask("random", held_out={"texts": packed(["a"])}))


@pytest.mark.parametrize("allowed", [(), ("other/model",)])
def test_a_base_that_the_owner_did_not_name_is_not_opened(ask, allowed):
    named = GENERATOR.model_copy(update={"network": None, "base": "some/model", "lora": LoraSpec(rank=2)})
    codes = np.frombuffer(b"some/encoder", dtype=np.uint8).astype(np.float64)
    options = packed([named.model_dump_json(by_alias=True)])
    for fields in (
        {"generator": named},
        {"arrays": {"features/encoder/text-model": codes}},
        {"arrays": {"features/encoder/language-model": options}},
        {"arrays": {"evaluation/encoder/text-model": codes}},
    ):
        with pytest.raises(PolicyError, match="generator.base or features.model.*not among its models"):
            check_models(Policy(models=allowed), ask("random", **fields))
        check_models(Policy(models=("some/model", "some/encoder")), ask("random", **fields))


def test_a_node_reads_its_documents_by_text_true(tmp_path):
    lines = "".join(f'{{"text": "{text}"}}\n' for text in documents(40, "file").values.tolist())
    (tmp_path / "own.jsonl").write_text(lines, encoding="utf-8")
    settings = {"data": str(tmp_path / "own.jsonl"), "text": "true", "state-dir": str(tmp_path / "state")}
    node = open_node(settings, {}, seed=0)
    assert node.silo.train.sort == TEXT
    assert len(node.silo.train) + len(node.silo.heldout) == 40
