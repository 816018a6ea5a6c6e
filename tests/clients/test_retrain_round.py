# SPDX-License-Identifier: Apache-2.0
"""A silo's answers to retrain: what they hold, and that parts make a whole; its owner lets it tell all."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients import storage
from tailweave.clients.arm_run import ArmRun
from tailweave.clients.features import received_features
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.metrics import evaluate
from tailweave.clients.metrics.frechet import gaussian_w2_sq, moments
from tailweave.clients.retrain_round import _seen, retrain
from tailweave.clients.starts import public_base
from tailweave.protocols import messages, references
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.generators.gaussian import GaussianSpec
from tailweave.protocols.kinds.references.base import ReferenceKind
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import weave
from tailweave.protocols.streams import stream

SLICED = SlicedReference(kind="sliced", directions=8, coefficients=3)
QUANTIZED = QuantizedReference(kind="quantized", clusters=4)


def latest(node, arm="siloed"):
    """The checkpoint of an arm that sees own rows, as all do that are sent no public ones to measure by."""
    return node.state / "test-run" / "seed-7" / node.silo.name / arm / "own" / "latest.npz"


def data(reply):
    return {name: array.tobytes() for name, array in reply.arrays.items()}


def test_metrics_are_those_of_the_stored_generations(node, kit, retrain_question):
    reply = retrain(node, retrain_question(0, 2))
    assert (reply.silo, reply.arm, reply.start) == ("silo-0", "siloed", 0)
    of_training_rows = {"memorization", "generalization_score", "training_entropy"}
    first, *later = (list(row) for row in reply.rows().values())
    assert later == [list(reply.names)] * 2
    assert (
        set(reply.names) - set(first) == of_training_rows
    )  # no node knows what the public base was fitted on
    stored = storage.load(latest(node))
    assert stored["generation"] == 2
    assert all(reply.arrays[name].tobytes() == stored[name].tobytes() for name in reply.arrays)
    # The last row, measured again from the stored model: as many fresh samples as there is truth.
    model = Mixture(*(stored[f"model/{name}"] for name in ("weights", "means", "covariances")))
    fresh = model.sample(30, rng=stream(7, "silo", "silo-0", "generation", 2, "evaluation"))
    ruler = node.yardstick(kit.features, 7)
    again = evaluate(ruler, kit.features(fresh), kit.features(stored["pool/values"]))
    assert reply.rows()[2].items() >= again.items()


def test_public_held_out_rows_stand_in_for_a_real_silos_own(node, tmp_path, retrain_question):
    asked, public = retrain_question(0, 0), stream(3, "public").normal(size=(40, 2))
    given = asked.model_copy(update={"arrays": {**asked.arrays, "held-out/features": public}})
    reply = retrain(node, given)
    kept = storage.load(latest(node))
    model = Mixture(*(kept[f"model/{n}"] for n in ("weights", "means", "covariances")))
    fresh = model.sample(40, rng=stream(7, "silo", "silo-0", "generation", 0, "evaluation"))
    features = FeatureMap.from_arrays(asked.part("features"))
    expected = gaussian_w2_sq(moments(features(fresh)), moments(public))
    assert reply.rows()[0]["frechet"] == pytest.approx(expected, rel=1e-12)
    for wrong in ({"held-out/features": public[:, :1]}, {"held-out/rows": public}):
        spoiled = asked.model_copy(update={"arrays": {**asked.arrays, **wrong}})
        with pytest.raises(
            ValueError,
            match=r"held-out/features must have 2 columns|held-out must be array features, or with texts",
        ):
            retrain(replace(node, state=tmp_path / "other"), spoiled)


def test_unseen_share_is_that_of_the_classes_a_silo_has_no_row_of(node, retrain_question):
    train = node.silo.train
    left = replace(node.silo, train=train.take(np.flatnonzero(train.labels == "left")))
    reply = retrain(replace(node, silo=left), retrain_question(0, 0))
    measured = reply.rows()[0]
    assert measured["unseen_share"] == measured["mode_share/right"] > 0.2
    both = retrain(replace(node, state=node.state / "both"), retrain_question(0, 0))
    assert both.rows()[0]["unseen_share"] == 0.0


def test_asking_again_computes_nothing_and_answers_the_same_bytes(node, retrain_question):
    arm = {"name": "anchored", "rule": "herding", "reference": "public"}
    first = retrain(node, retrain_question(0, 3, arm=arm))
    written = latest(node, "anchored").stat().st_mtime_ns
    unusable = {"weights": np.ones(1)}  # a base that would be refused if it were looked at
    for start, stop in ((0, 3), (2, 3), (1, 2)):
        again = retrain(node, retrain_question(start, stop, arm=arm, base=unusable))
        assert again.rows() == {g: row for g, row in first.rows().items() if start <= g <= stop}
        assert (again.names, again.start) == (first.names, start)
    assert latest(node, "anchored").stat().st_mtime_ns == written


@pytest.mark.parametrize("paradigm", ["replace", "accumulate", "accumulate-subsample", "accumulate-select"])
def test_three_and_three_more_are_six_exactly(node, tmp_path, retrain_question, paradigm):
    options = {"paradigm": paradigm}
    parts = [retrain(node, retrain_question(*span, recursion=options)) for span in ((0, 3), (4, 6))]
    other = replace(node, state=tmp_path / "other")
    whole = retrain(other, retrain_question(0, 6, recursion=options))
    assert parts[0].rows() | parts[1].rows() == whole.rows()
    assert latest(node).read_bytes() == latest(other).read_bytes()


def test_a_continued_arm_does_not_go_back_to_the_base(node, retrain_question):
    retrain(node, retrain_question(0, 2))
    retrain(node, retrain_question(3, 4, base={"weights": np.ones(1)}))
    assert storage.load(latest(node))["generation"] == 4


def test_state_is_kept_apart_by_run_seed_and_arm(node, retrain_question):
    arms = [{"name": name, "rule": "random"} for name in ("one", "two")]
    answers = [retrain(node, retrain_question(0, 1, arm=arms[0], seed=seed)) for seed in (7, 8)]
    answers.append(retrain(node, retrain_question(0, 1, arm=arms[1])))
    assert data(answers[0]) != data(answers[1])
    assert data(answers[0]) == data(answers[2])  # arms are paired
    assert sorted(str(path.relative_to(node.state)) for path in node.state.rglob("*.npz")) == [
        "test-run/seed-7/silo-0/one/own/latest.npz",
        "test-run/seed-7/silo-0/two/own/latest.npz",
        "test-run/seed-8/silo-0/one/own/latest.npz",
    ]


def test_a_broken_checkpoint_is_refused_not_overwritten(node, retrain_question):
    retrain(node, retrain_question(0, 1))
    latest(node).write_bytes(b"torn")
    with pytest.raises(storage.StorageError, match="latest.npz: cannot be read back"):
        retrain(node, retrain_question(0, 2))
    assert latest(node).read_bytes() == b"torn"


def test_snapshots_are_kept_of_the_generations_asked_for(node, world, kit, retrain_question):
    retrain(replace(node, truth=world), retrain_question(0, 3, snapshots=(1, 3)))
    folder = latest(node).parents[1]
    assert sorted(file.name for file in folder.iterdir()) == [
        "latest.npz",
        "rows.blake2b",
        "snapshot-1.npz",
        "snapshot-3.npz",
    ]
    snapshot = storage.load(folder / "snapshot-3.npz")
    assert snapshot["candidates"].shape == (40, 2)
    pool = kit.features(storage.load(folder / "latest.npz")["pool/values"])
    np.testing.assert_allclose(snapshot["selected"], pool, atol=1e-12)


def test_samples_for_evaluation_can_be_fewer(node, retrain_question):
    few = retrain(node, retrain_question(0, 0, evaluation_samples=20))
    assert list(few.rows()) == [0]


def test_every_reference_kind_is_found(node, world, kit, retrain_question):
    simulated, mapped = replace(node, truth=world), kit.features(node.silo.train.values)
    woven = {
        spec: weave([references.release(mapped, spec, kit.features.space(7), 10, rng=stream(7, "k"))], spec)
        for spec in (SLICED, QUANTIZED)
    }
    arms = {
        "local": {},
        "public": {},
        "oracle": {},
        "sliced": woven[SLICED],
        "quantized": woven[QUANTIZED],
    }
    specs = {"sliced": SLICED.model_dump(), "quantized": QUANTIZED.model_dump()}
    seen = {}
    for kind, reference in arms.items():
        arm = {"name": kind, "rule": "herding", "reference": specs.get(kind, kind)}
        reply = retrain(simulated, retrain_question(0, 1, arm=arm, reference=reference))
        seen[kind] = reply.rows()
    start = seen["local"][0]
    assert all(rows[0] == start for rows in seen.values())  # generation 0 is shared
    assert len({str(rows[1]) for rows in seen.values()}) == 5


def test_a_woven_reference_is_kept_on_the_node_and_nobody_elses(node, kit, retrain_question):
    sketch = {"sketch": stream(0, "sketch").normal(size=(8, 3))}
    arm = {"name": "sliced", "rule": "herding", "reference": SLICED.model_dump()}
    question = retrain_question(0, 0, arm=arm, reference=sketch)
    retrain(node, question)
    retrain(node, retrain_question(0, 0))  # arm siloed: local
    found = list(node.state.rglob("reference.npz"))
    assert found == [node.state / "test-run" / "seed-7" / "silo-0" / "sliced" / "reference.npz"]
    expected = KeptReference("test-run", "sliced", 7, SLICED, kit.features, sketch)
    assert KeptReference.load(found[0]).digest == expected.digest


def test_local_start_is_fitted_on_the_silos_own_rows(node, retrain_question):
    local = GaussianSpec(kind="gaussian", start="local")
    unusable = {"weights": np.ones(1)}  # the shared base is not looked at
    retrain(node, retrain_question(0, 0, generator=local, base=unusable))
    own = node.silo.train.values
    np.testing.assert_allclose(storage.load(latest(node))["model/mean"], own.mean(axis=0), rtol=1e-12)


def test_the_oracle_exists_in_simulation_only(node, retrain_question):
    arm = {"name": "oracle", "rule": "herding", "reference": "oracle"}
    with pytest.raises(ValueError, match="oracle exists in simulation only"):
        retrain(node, retrain_question(0, 1, arm=arm))


def test_a_missing_sketch_is_refused(node, retrain_question):
    arm = {"name": "sliced", "rule": "herding", "reference": SLICED.model_dump()}
    with pytest.raises(ValueError, match="sliced reference needs array 'sketch'"):
        retrain(node, retrain_question(0, 1, arm=arm))


def test_answers_are_messages_of_the_protocol(node, retrain_question):
    reply = retrain(node, retrain_question(0, 1))
    assert isinstance(reply, messages.RetrainReply)
    assert all(np.isfinite(array).all() for array in reply.arrays.values())


class Mine(ReferenceKind):
    """A reference of another package."""

    kind: str = "mine"


@pytest.mark.parametrize("sees", ["public", "own", "truth", "releases"])
def test_a_reference_is_given_what_it_says_that_it_sees_and_nothing_else(node, retrain_question, sees):
    question = retrain_question()
    run = ArmRun(node, question, received_features(question.part("features")))
    spec = type("Sees", (Mine,), {"sees": sees})()
    if sees in ("truth", "releases"):  # a real node has no truth, and a kind without rounds no releases
        with pytest.raises(ValueError, match=f"reference mine sees {sees}, of which nothing is to be had"):
            _seen(run, spec)
        return
    drawn = public_base(node, question).sample(2000, rng=stream(7, "reference", "public"))
    assert np.array_equal(_seen(run, spec), node.silo.train if sees == "own" else drawn)
