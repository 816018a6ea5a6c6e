# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in a round ``retrain``: it brings one arm to a generation and reports metrics.

On a real node two things are apart. An arm that sees public rows and released references alone never touches
the silo's rows: its answer is a function of the question. An arm that sees own rows runs too, for the owner;
the server is told so and nothing else, whatever came of it, unless the policy says ``allow-own-metrics``.
"""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from tailweave.clients import generators, recursion, starts, storage
from tailweave.clients.arm_run import ArmRun
from tailweave.clients.checkpoints import Checkpoint
from tailweave.clients.features import received_features
from tailweave.clients.final_models import left_by
from tailweave.clients.generators import Course
from tailweave.clients.measured import Measured
from tailweave.clients.measuring import measure
from tailweave.clients.node import Node
from tailweave.clients.recursion import Pick, Recursion, Stage
from tailweave.clients.release.experiments import check_experiment
from tailweave.clients.same_rows import check_same_rows
from tailweave.clients.samples import Samples
from tailweave.clients.telling import TOLD, telling
from tailweave.protocols import references
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.references.base import ReferenceKind
from tailweave.protocols.kinds.references.transported import WovenReference
from tailweave.protocols.logs import Log
from tailweave.protocols.messages import Retrain, RetrainReply
from tailweave.protocols.references import Reference
from tailweave.protocols.references.shares import class_shares
from tailweave.protocols.streams import stream

logger = logging.getLogger("tailweave.clients")

SHOWN_POINTS = 400
"""Points of each cloud of a map: enough to see; features of documents take time."""


def retrain(node: Node, question: Retrain) -> RetrainReply:
    """Bring one arm to generation ``stop``, checkpoint each generation, and report metrics from ``start`` on.

    A repeated question returns the stored metrics without computing anything again. A silo that is not
    ``measured`` is retrained all the same, and says no more than that.

    Raises:
        PolicyError: If the owner's policy does not allow the experiment.
        ValueError: If the reference cannot be had on this node, or generator or rule refuse their input;
            never for an arm whose numbers the owner keeps.

    Privacy:
        By default the answer is the same whatever the silo's rows are: computed from the question alone, or
        empty.
    """
    if node.truth is None:
        check_experiment(node.policy, question)
    run = ArmRun(node, question, received_features(question.part("features")))
    storage.private_folder(run.folder)
    _keep_reference(run)
    if not run.told:
        _for_the_owner(run)
        return _answer(run, Measured(), ())
    measured = _reached(run).measured
    if not question.measured:
        return _answer(run, measured, ())
    return _answer(run, measured, measured.names(question.start, question.stop, node.policy.metrics))


def _answer(run: ArmRun, measured: Measured, told: tuple[str, ...]) -> RetrainReply:
    question = run.question
    return RetrainReply(
        **run.node.head(question),
        arm=question.arm.name,
        start=question.start,
        stop=question.stop,
        kept=question.measured and not told,
        names=told,
        arrays=measured.entries(question.start, question.stop, told) if told else {},
    )


def _for_the_owner(run: ArmRun) -> None:
    """Run an arm that sees own rows; whether that fails depends on them, so the server is not told."""
    try:
        _reached(run)
    except Exception as error:  # noqa: BLE001 - any, for which one it is may say something of the rows
        logger.warning("arm %s: %s: %s", run.question.arm.name, type(error).__name__, error)
        run.report.failed(f"{type(error).__name__}: {error}")


def _reached(run: ArmRun) -> Checkpoint:
    """Return the arm at generation ``stop`` or later: where it was before, or brought there now."""
    question, path = run.question, run.folder / "latest.npz"
    check_same_rows(run)
    done = Checkpoint.load(path, question.generator, question.stop, run.sort)
    if done is not None and done.stage.generation >= question.start:
        _say_resumed(run, done.stage.generation)
    if done is None or done.stage.generation < question.stop:
        done = _advance(run, done, path)
    return done


def _say_resumed(run: ArmRun, generation: int) -> None:
    question, silo = run.question, run.node.silo.name
    log = Log("node", question.run)
    log.warning("resumed", seed=question.seed, silo=silo, arm=question.arm.name, generation=generation)


def _advance(run: ArmRun, done: Checkpoint | None, path: Path) -> Checkpoint:
    question = run.question
    reference, compared = _reference(run)
    fixed = Recursion(
        question.arm,
        question.generator,
        question.recursion,
        run.features,
        reference,
        question.seed,
        run.node.silo.name,
        Course(
            telling(path.with_name(TOLD)),
            path.with_name("training.safetensors"),
            offline=not run.simulated,
        ),
        compared,
    )
    count = 0
    if question.measured:
        count = question.evaluation_samples or len(run.ruler.truth)  # refuses before a generation is fitted

    def measured(stage: Stage, before: Measured, pick: Pick | None = None) -> Checkpoint:
        row = {}
        if count:
            generated = stage.model.sample(count, rng=fixed.rng(stage.generation, "evaluation"))
            row = measure(run, stage, generated)
        checkpoint = Checkpoint(stage, before.then(row))
        last, large = question.recursion.generations, question.generator.large
        left = left_by(run, pick) if stage.generation >= last else {}
        checkpoint.save(path, last=last, large=large, left=left)
        return checkpoint

    if done is None:
        model = generators.primed(question.generator, _base(run, fixed.course), _around(run, reference))
        first = recursion.begin(model, starts.base_samples(run.node, question))
        done = measured(first, Measured())
    else:
        model = generators.primed(question.generator, done.stage.model, _around(run, reference))
        done = replace(done, stage=replace(done.stage, model=model))
    while done.stage.generation < question.stop:
        stage, pick = recursion.step(fixed, done.stage, run.learnt_rows)
        if stage.generation in question.snapshots and run.simulated:
            _snapshot(path.with_name(f"snapshot-{stage.generation}.npz"), pick)
        done = measured(stage, done.measured, pick)
    return done


def _around(run: ArmRun, reference: Reference | None) -> generators.Around:
    """Return what a model may draw with the help of."""
    question, features, spec = run.question, run.features, run.question.generator
    base = starts.public_base(run.node, question, run.sort) if spec.looks_at_base else None
    if not spec.looks_at_reference or reference is None:
        return generators.Around(run.own_rows, base)
    shares = class_shares(reference, features.space(question.seed)).tolist()
    return generators.Around(run.own_rows, base, dict(zip(features.classes, shares, strict=True)))


def _base(run: ArmRun, course: Course) -> generators.Generator:
    question = run.question
    if question.generator.start == "local":
        rng = stream(question.seed, "silo", run.node.silo.name, "base")
        return generators.fit(question.generator, run.node.silo.train, rng=rng, course=course)
    return starts.first_model(run.node, question, run.sort)


def _reference(run: ArmRun) -> tuple[Reference | None, Samples | None]:
    """Return what the rule compares with, and the samples that it was made of if that was here."""
    question, features, spec = run.question, run.features, run.question.arm.reference
    if spec is None:
        return None, None
    space = features.space(question.seed)
    if isinstance(spec, WovenReference):
        return references.proxy(question.part("reference"), spec, space), None
    seen = _seen(run, spec)
    return references.made(spec, features(seen), space), seen


def _seen(run: ArmRun, spec: ReferenceKind) -> Samples:
    """Return the samples that a reference is made of: no others are given to it."""
    node, question = run.node, run.question
    if spec.sees == "public":
        rng = stream(question.seed, "reference", "public")
        return starts.public_base(node, question, run.sort).sample(spec.public_samples, rng=rng)
    if spec.sees == "own":
        return node.compared(run.features)
    if spec.sees == "truth" and node.truth is not None:
        return node.truth.train
    raise ValueError(f"reference {spec.kind} sees {spec.sees}, of which nothing is to be had on this node")


def _keep_reference(run: ArmRun) -> None:
    """Keep a woven reference on this node, where `tailweave serve` finds it for the silo's own pipelines."""
    question, spec = run.question, run.question.arm.reference
    if isinstance(spec, WovenReference):
        woven = question.part("reference")
        kept = KeptReference(question.run, question.arm.name, question.seed, spec, run.features, woven)
        path = run.arm_folder / "reference.npz"
        kept.save(path)
        path.chmod(0o600)


def _snapshot(path: Path, pick: Pick) -> None:
    """Keep some of one generation's candidates and pick on this node, for the simulation's map."""
    shown = _evenly(np.arange(len(pick.candidates)))
    selected = _evenly(pick.selected)
    storage.save(path, {"candidates": pick.features_of(shown), "selected": pick.features_of(selected)})


def _evenly(index: Ints) -> Ints:
    return index[np.linspace(0, len(index) - 1, min(len(index), SHOWN_POINTS)).round().astype(np.int64)]
