# SPDX-License-Identifier: Apache-2.0
"""What a silo answers to each of the server's three questions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from clients import generators, recursion, starts, storage
from clients.checkpoints import Checkpoint
from clients.features import received_features
from clients.generators import Course
from clients.metrics import Yardstick, evaluate, yardstick
from clients.node import Node
from clients.recursion import Pick, Recursion, Stage
from clients.release.desk import Desk, release_folder
from clients.release.desk import answer as desk_answer
from clients.release.request import ReleaseRequest, Request
from clients.samples import beside_nearest
from clients.schema import check_schema
from clients.telling import TOLD, telling
from protocols import references
from protocols.arrays import Floats, matrix
from protocols.config.references import ReleasingSpec, TransportSpec
from protocols.features import FeatureMap
from protocols.kept_reference import KeptReference
from protocols.logs import Log
from protocols.messages import (
    Hello,
    HelloReply,
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
    rows_bucket,
)
from protocols.privacy import gate
from protocols.privacy.calibration import epsilon_of_rho
from protocols.privacy.noise import SeededNoise, SystemNoise
from protocols.references import Empirical, Reference
from protocols.refusals import Refusal
from protocols.streams import stream

MODE_SHARE = "mode_share/"
"""Begins the name of a class's share among a row of metrics."""


def hello(node: Node, question: Hello) -> HelloReply:
    """Say who this silo is and how its data look from outside.

    Raises:
        Refusal: If its table does not fit the federation's (a simulated silo is cut from that table), or its
            base generator is not the one that the run starts from.
    """
    if node.truth is None:
        check_schema(node.silo, question)
    if question.base_digest is not None:
        starts.check_base(node, question.base_digest)
    rows = node.silo.train
    return HelloReply(
        run=question.run,
        seed=question.seed,
        silo=node.silo.name,
        columns=rows.values.shape[1],
        rows_at_least=rows_bucket(len(rows)),
    )


def summarise(node: Node, question: Summarise) -> SummariseReply:
    """Release a summary of the silo's features, through the release desk and the privacy gate.

    Raises:
        ValueError: If the silo's columns do not fit the feature map, its rows are too few, or its owner's
            policy, ledger or budget refuses.
    """
    features = received_features(question.part("features"))
    mapped = features(node.silo.train.values)
    request = ReleaseRequest(question.reference, question.privacy, features, question.seed)
    noise = privacy_noise(node, request)

    def make(charge: Callable[[gate.Cost], None]) -> dict[str, Floats]:
        rng = stream(question.seed, "silo", node.silo.name, "release", question.reference.kind)
        space = features.space(question.seed)
        release = gate.release(
            mapped, question.reference, space, question.privacy, noise=noise, rng=rng, charge=charge
        )
        return release.summary.arrays()

    desk = Desk(release_folder(node.state, node.silo.name), node.policy, noise, epsilon_of_rho, create=True)
    return SummariseReply(
        run=question.run,
        seed=question.seed,
        silo=node.silo.name,
        reference=question.reference,
        privacy=question.privacy,
        noise="none" if question.privacy.epsilon is None else noise.name,
        arrays=desk_answer(desk, node.silo.train.values, request, make),
    )


def privacy_noise(node: Node, request: Request) -> SeededNoise | SystemNoise:
    """Return seeded noise in simulation, which must repeat, and the operating system's entropy elsewhere."""
    if node.truth is not None or request.privacy.epsilon is None:
        return SeededNoise(stream(request.seed, "silo", node.silo.name, "noise", request.digest))
    return SystemNoise()


def retrain(node: Node, question: Retrain) -> RetrainReply:
    """Bring one arm to generation ``stop``, checkpoint each generation, and report metrics from ``start`` on.

    A repeated question returns the stored metrics without computing anything again.

    Raises:
        ValueError: If the reference cannot be had on this node, or generator or rule refuse their input.
    """
    features = received_features(question.part("features"))
    path = _checkpoint_path(node, question)
    _keep_reference(question, features, path.with_name("reference.npz"))
    done = Checkpoint.load(path, question.generator)
    if done is not None and done.stage.generation >= question.start:
        _say_resumed(node, question, done.stage.generation)
    if done is None or done.stage.generation < question.stop:
        done = _advance(node, question, features, done, path)
    return RetrainReply(
        run=question.run,
        seed=question.seed,
        silo=node.silo.name,
        arm=question.arm.name,
        start=question.start,
        names=done.names,
        arrays={"values": done.values[question.start : question.stop + 1]},
    )


def _say_resumed(node: Node, question: Retrain, generation: int) -> None:
    log, arm = Log("node", question.run), question.arm.name
    log.warning("resumed", seed=question.seed, silo=node.silo.name, arm=arm, generation=generation)


def _advance(
    node: Node, question: Retrain, features: FeatureMap, done: Checkpoint | None, path: Path
) -> Checkpoint:
    fixed = Recursion(
        question.arm,
        question.generator,
        question.recursion,
        features,
        _reference(node, question, features),
        question.seed,
        node.silo.name,
        Course(
            telling(path.with_name(TOLD)),
            path.with_name("training.safetensors"),
            offline=node.truth is None,
        ),
    )
    ruler = _ruler(node, question, _evaluation_space(question, features))
    if done is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = recursion.begin(_base(node, question, fixed.course), starts.base_rows(node, question).values)
        done = _measured(node, question, fixed, stage, None, ruler)
        done.save(path)
    while done.stage.generation < question.stop:
        stage, pick = recursion.step(fixed, done.stage, node.silo.train.values)
        if stage.generation in question.snapshots:
            _snapshot(path.parent / f"snapshot-{stage.generation}.npz", pick)
        done = _measured(node, question, fixed, stage, done, ruler)
        done.save(path)
    return done


def _measured(
    node: Node,
    question: Retrain,
    fixed: Recursion,
    stage: Stage,
    done: Checkpoint | None,
    ruler: Yardstick,
) -> Checkpoint:
    """Measure fresh samples of the stage's model and append the row to what was measured before."""
    space = _evaluation_space(question, fixed.features)
    count = question.evaluation_samples or len(ruler.truth)
    generated = stage.model.sample(count, rng=fixed.rng(stage.generation, "evaluation"))
    training = space(stage.training_rows)
    row = evaluate(ruler, space(generated), training)
    row |= _unseen_share(node, row)
    if question.recursion.include_real:
        row["real_share"] = stage.real_share
    if _wanted_as_images(node, question, stage.generation):
        path = _checkpoint_path(node, question).with_name(f"images-{stage.generation}.npz")
        storage.save(path, beside_nearest(space, generated, stage.training_rows, training))
    values = np.array([list(row.values())])
    return Checkpoint(stage, tuple(row), values if done is None else np.concatenate([done.values, values]))


def _ruler(node: Node, question: Retrain, space: FeatureMap) -> Yardstick:
    """Return what generations are measured against; a simulation knows the truth and needs nothing sent."""
    public = question.part("held-out")
    if node.truth is not None or not public:
        return node.yardstick(space, question.seed)
    if set(public) != {"features"}:
        raise ValueError(f"held-out must be one array features, got {', '.join(sorted(public))}")
    return yardstick(matrix(public["features"], "held-out/features", columns=space.dimension), None)


def _evaluation_space(question: Retrain, features: FeatureMap) -> FeatureMap:
    """Return the map in which generations are measured: its own, or that of the selection."""
    parts = question.part("evaluation")
    return received_features(parts) if parts else features


def _wanted_as_images(node: Node, question: Retrain, generation: int) -> bool:
    """Tell whether samples are kept for the report; training rows stand beside them: simulation only."""
    if node.truth is None or node.silo.train.image is None:
        return False
    return generation in question.snapshots or (generation == 0 and bool(question.snapshots))


def _unseen_share(node: Node, row: dict[str, float]) -> dict[str, float]:
    """Return the generated share of the classes that this silo has no row of, where classes are known."""
    labels = node.silo.train.labels
    if labels is None:
        return {}
    seen = {f"{MODE_SHARE}{label}" for label in labels}
    unseen = [value for name, value in row.items() if name.startswith(MODE_SHARE) and name not in seen]
    return {"unseen_share": sum(unseen)} if "modes_covered" in row else {}


def _base(node: Node, question: Retrain, course: Course) -> generators.Generator:
    if question.generator.start == "local":
        rng = stream(question.seed, "silo", node.silo.name, "base")
        return generators.fit(question.generator, node.silo.train.values, rng=rng, course=course)
    return starts.first_model(node, question)


def _reference(node: Node, question: Retrain, features: FeatureMap) -> Reference | None:
    spec = question.arm.reference
    if spec is None:
        return None
    if spec.kind == "local":
        return Empirical.of(features(node.silo.train.values))
    if spec.kind == "oracle":
        if node.truth is None:
            raise Refusal("reference oracle exists in simulation only: this node does not have the truth")
        return Empirical.of(features(node.truth.train.values))
    if spec.kind == "public":
        base = starts.public_base(node, question)
        return Empirical.of(
            features(base.sample(spec.samples, rng=stream(question.seed, "reference", "public")))
        )
    return references.proxy(question.part("reference"), spec, features.space(question.seed))


def _keep_reference(question: Retrain, features: FeatureMap, path: Path) -> None:
    """Keep a woven reference on this node, where `tailweave serve` finds it for the silo's own pipelines."""
    spec = question.arm.reference
    if isinstance(spec, ReleasingSpec | TransportSpec):
        woven = question.part("reference")
        KeptReference(question.run, question.arm.name, question.seed, spec, features, woven).save(path)


def _checkpoint_path(node: Node, question: Retrain) -> Path:
    return (
        node.state
        / question.run
        / f"seed-{question.seed}"
        / node.silo.name
        / question.arm.name
        / "latest.npz"
    )


def _snapshot(path: Path, pick: Pick) -> None:
    """Keep one generation's candidates and pick on this node, for the simulation's map."""
    selected: Floats = pick.features[pick.selected]
    storage.save(path, {"candidates": pick.features, "selected": selected})
