# SPDX-License-Identifier: Apache-2.0
"""Numbers that leave a silo outside its budget: computed from the question alone, or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.data.silo import Silo
from tailweave.clients.node import Node
from tailweave.clients.owner_report import reports
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import Numbers, Samples
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.messages import Retrain
from tailweave.protocols.records import encode
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.streams import stream

GENERATOR = GaussianMixtureSpec(kind="gaussian-mixture", components=2)
ARMS = {
    "no-selection": {"rule": "random"},
    "anchored": {"rule": "herding", "reference": "public"},
    "collaborative": {
        "rule": "herding",
        "reference": {"kind": "sliced", "directions": 8, "coefficients": 3},
    },
    "siloed": {"rule": "herding", "reference": "local"},
    "mixed": {"rule": "random", "include_real": True},
}
TOLD, KEPT = ("no-selection", "anchored", "collaborative"), ("siloed", "mixed")


def rows(count: int, *path: str) -> Samples:
    rng = stream(0, "rows", *path)
    return Samples.of(rng.normal(size=(count, 3)), rng.choice(["left", "right"], count))


def silo_at(state: Path, policy: Policy | None = None, **parts: Samples) -> Node:
    silo = replace(Silo("north", rows(250, "train"), rows(40, "heldout")), **parts)
    return Node(silo, state, None, None, policy or Policy())


def ask(arm: str, *, held_out: bool = True, start: int = 0, stop: int = 2, **fields) -> Retrain:
    base = generators.fit(GENERATOR, rows(50, "public"), rng=stream(0, "base"))
    weights = fields.pop("weights", np.eye(3))
    features = FeatureMap(np.zeros(3), weights, np.zeros(3), 1.0)
    arrays = with_prefix("base", base.arrays()) | with_prefix("features", features.arrays())
    if held_out:
        arrays["held-out/features"] = rows(60, "public", "held-out").values
    if arm == "collaborative":
        arrays["reference/sketch"] = 0.1 * stream(0, "sketch").normal(size=(8, 3))
    spec = dict(ARMS[arm])
    options = {"generations": 3, "samples": 30, "candidates_per_sample": 2}
    options |= {"include_real": spec.pop("include_real", False)}
    return Retrain(
        run="run",
        seed=fields.pop("seed", 7),
        arm=ArmSpec(name=fields.pop("name", arm), **spec),
        generator=fields.pop("generator", GENERATOR),
        recursion=RecursionSpec(**options),
        start=start,
        stop=stop,
        arrays=arrays | fields.pop("arrays", {}),
        **fields,
    )


def on_the_wire(node: Node, question: Retrain) -> tuple[object, ...]:
    """All that leaves: the bytes of the answer, or the error that Flower would send on."""
    try:
        content = encode(retrain(node, question))
    except ValueError as error:
        return type(error).__name__, str(error)
    arrays = {name: (array.shape, array.data) for name, array in content["arrays"].items()}
    return dict(content["message"]), arrays


def neighbours(tmp_path: Path) -> Iterator[Node]:
    """Silos that differ in one row, in training or held-out rows, by a little or absurdly."""
    train, heldout = rows(250, "train"), rows(40, "heldout")
    for number, (part, whole) in enumerate((("train", train), ("heldout", heldout))):
        for size in (1.0, 1e5, 1e90):
            values = whole.values.copy()
            values[3] = size
            changed = Samples.of(values, whole.labels)
            yield silo_at(tmp_path / f"{number}-{size}", **{part: changed})
    same = np.ones((250, 3))
    yield silo_at(tmp_path / "equal", train=Samples.of(same, rows(250, "train").labels))
    yield silo_at(tmp_path / "flat", heldout=Samples.of(same[:40]))


@pytest.mark.parametrize("arm", ARMS)
def test_silos_that_differ_in_rows_answer_the_same_bytes(arm, tmp_path):
    asked = [ask(arm), ask(arm, held_out=False, name="other")]
    asked += [ask(arm, weights=1e12 * np.eye(3), name="huge", stop=1)]
    wanted = [on_the_wire(silo_at(tmp_path / "here"), question) for question in asked]
    for node in neighbours(tmp_path):
        assert [on_the_wire(node, question) for question in asked] == wanted


def test_public_arms_are_told_and_arms_with_own_rows_are_their_owners(tmp_path):
    node = silo_at(tmp_path)
    for arm in TOLD:
        reply = retrain(node, ask(arm))
        assert not reply.kept
        assert list(reply.rows()) == [0, 1, 2]
        assert {"coverage", "frechet", "memorization"} <= set(reply.rows()[2])
        assert not {"memorization", "unseen_share", "mode_share/left"} & set(reply.rows()[0])
    for arm in KEPT:
        reply = retrain(node, ask(arm))
        assert (reply.kept, reply.names, reply.arrays) == (True, (), {})
    lines = list(reports(node.state, "run"))
    seen = {(line["arm"], line["generation"], line["against"], line["told"]) for line in lines}
    expected = {
        (arm, g, a, arm in TOLD and a == "public")
        for arm in ARMS
        for g in range(3)
        for a in ("public", "own")
    }
    assert seen == expected
    assert all(0.0 <= line["coverage"] <= 1.0 for line in lines)
    seen = {tuple(line["seen"]) for line in lines if line["arm"] == "siloed" and line["against"] == "public"}
    assert seen == {("reference: local",)}


def test_an_arm_that_touches_no_rows_needs_none(tmp_path):
    """Seen otherwise: the rows of a told arm are not even looked at."""

    class Untouchable:
        image, sort = None, Numbers(("cells", "of a file", "without a header"))

        @property
        def values(self):
            raise AssertionError("own rows were read")

        labels = values

    whole = silo_at(tmp_path / "whole")
    blind = replace(whole, state=tmp_path / "blind", silo=Silo("north", Untouchable(), Untouchable()))
    for arm in TOLD:
        assert on_the_wire(blind, ask(arm)) == on_the_wire(whole, ask(arm))


def test_models_that_saw_own_rows_are_not_gone_on_from_under_the_same_name(tmp_path):
    """One name for two arms: first one that sees own rows, then one that would be told of it."""
    fresh, tricked = silo_at(tmp_path / "fresh"), silo_at(tmp_path / "tricked")
    for trick in ({}, {"generator": GENERATOR.model_copy(update={"start": "local"})}):
        retrain(tricked, ask("siloed" if not trick else "no-selection", name="x", stop=1, **trick))
        question = ask("no-selection", name="x")
        assert on_the_wire(tricked, question) == on_the_wire(fresh, question)


def test_a_failure_that_hangs_on_own_rows_is_the_owners(tmp_path):
    same = Samples.of(np.ones((250, 3)))
    node = silo_at(tmp_path, train=same, heldout=Samples.of(np.ones((9, 3))))
    assert retrain(node, ask("siloed", held_out=False)).kept
    failed = [line for line in reports(node.state, "run") if "failed" in line]
    assert [line["arm"] for line in failed] == ["siloed"]
    assert "total variance" in failed[0]["failed"]


def test_with_the_owners_consent_all_is_told(tmp_path):
    one = silo_at(tmp_path / "one", Policy(allow_own_metrics=True))
    reply = retrain(one, ask("siloed"))
    assert list(reply.rows()) == [0, 1, 2]
    own = retrain(one, ask("siloed", held_out=False, name="own")).rows()
    assert {"unseen_share", "mode_share/left"} <= set(own[0])
    moved = rows(250, "train").values.copy()
    moved[3] += 5.0
    other = silo_at(
        tmp_path / "two",
        Policy(allow_own_metrics=True),
        train=Samples.of(moved, rows(250, "train").labels),
    )
    assert on_the_wire(other, ask("mixed")) != on_the_wire(one, ask("mixed"))  # the comparison is not blind


@pytest.mark.parametrize(
    ("policy", "arm", "fields", "reason"),
    [
        (
            {"starts": ("shared",)},
            "no-selection",
            {"generator": "local"},
            "generator.start local asked, allow",
        ),
        ({"references": ("public",)}, "siloed", {}, "reference local asked, allowed: public"),
        ({"references": ()}, "collaborative", {}, "reference sliced asked, allowed: none"),
        ({"include_real": False}, "mixed", {}, "include-real asked, include-real is false"),
        ({"arms": ("anchored",)}, "siloed", {}, "arm siloed asked, allowed: anchored"),
    ],
)
def test_what_the_owner_shuts_is_refused_by_name(policy, arm, fields, reason, tmp_path):
    node = silo_at(tmp_path, Policy(**policy))
    if "generator" in fields:
        fields = {"generator": GENERATOR.model_copy(update={"start": fields["generator"]})}
    with pytest.raises(PolicyError, match=reason):
        retrain(node, ask(arm, **fields))
    assert not tmp_path.joinpath("run").exists()


def test_the_owner_chooses_the_metrics(tmp_path):
    node = silo_at(tmp_path, Policy(metrics=("coverage", "frechet")))
    assert retrain(node, ask("anchored")).names == ("frechet", "coverage")
    assert retrain(silo_at(tmp_path / "none", Policy(metrics=())), ask("anchored")).kept
    assert len(list(reports(node.state, "run"))) == 6  # the owner's report has all


def test_the_oracle_is_refused_whatever_the_policy_says(tmp_path):
    question = ask("no-selection")
    arm = ArmSpec(name="oracle", rule="herding", reference="oracle")
    with pytest.raises(Refusal, match="in simulation only"):
        retrain(silo_at(tmp_path), question.model_copy(update={"arm": arm}))
