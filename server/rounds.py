# SPDX-License-Identifier: Apache-2.0
"""The rounds of one seed: hello, fit where it starts by FedAvg, summarise, retrain."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial

from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.kinds.references.transported import TransportedReference, WovenReference
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.messages import (
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
)
from tailweave.protocols.streams import stream
from tailweave.server import secure_sum
from tailweave.server.federation import Federation
from tailweave.server.greeting import greet, latecomers
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun
from tailweave.server.starts import digest_of_base, federated_start, sent_generator, start_arrays
from tailweave.server.transport_rounds import transported
from tailweave.server.weaving import woven_reference

Release = tuple[WovenReference, PrivacySpec]
Woven = Mapping[Release, dict[str, Floats]]


def run_seed(federation: Federation, seed: int, kit: PublicKit) -> None:
    """Run all arms for one seed.

    Args:
        federation: Who is asked.
        seed: Root seed.
        kit: Feature map and base generator that all silos are given.

    Raises:
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    run = SeedRun(federation, seed, kit)
    members = greet(run)
    federated_start(run, members)
    references = summarise(run, members)
    _keep(run, references)
    retrain(run, members[: federation.experiment.silos.followed], references)


def summarise(run: SeedRun, members: Sequence[Member]) -> Woven:
    """Round ``summarise``: collect one summary a silo for each reference that needs them, and weave them."""
    woven: dict[Release, dict[str, Floats]] = {}
    for spec, privacy in _released(run.federation.experiment):
        if privacy.secure_aggregation and isinstance(spec, SlicedReference):
            woven[spec, privacy] = secure_sum.summarise(run, (spec, privacy), members)
            continue
        if isinstance(spec, TransportedReference):
            woven[spec, privacy] = transported(run, (spec, privacy), members)
            continue
        question = Summarise(
            **run.head,
            reference=spec,
            privacy=privacy,
            arrays=with_prefix("features", run.kit.features.arrays()),
        )
        answers = run.federation.ask([(member, question) for member in members], SummariseReply)
        run.federation.require(len(answers))
        woven[spec, privacy] = woven_reference(run, (spec, privacy), answers)
    return woven


def _released(experiment: Experiment) -> list[Release]:
    """Return every summary that is asked for, once, in the order of the arms."""
    asked = (_release_of(experiment, arm) for arm in experiment.arms)
    return list(dict.fromkeys(released for released in asked if released is not None))


def _release_of(experiment: Experiment, arm: ArmSpec) -> Release | None:
    return (arm.reference, experiment.privacy_of(arm)) if isinstance(arm.reference, WovenReference) else None


def _keep(run: SeedRun, references: Woven) -> None:
    """Write each arm's woven reference into the run folder, where `tailweave serve` looks for it."""
    for arm in run.federation.experiment.arms:
        released = _release_of(run.federation.experiment, arm)
        if released is not None:
            kept = KeptReference(
                run.federation.run, arm.name, run.seed, released[0], run.kit.features, references[released]
            )
            kept.save(run.federation.record.out / "references" / f"seed-{run.seed}" / f"{arm.name}.npz")


def retrain(run: SeedRun, members: Sequence[Member], references: Woven) -> None:
    """Round ``retrain``: bring every arm on every silo to the last generation, a few at a time.

    A silo that missed an exchange is asked again at the next one, from where its reports stop; one that
    connects meanwhile is greeted and begins. Of a sample that is measured it is none.
    """
    present, reported, silos = list(members), dict[tuple[str, Member], int](), run.federation.experiment.silos
    some = sample(run.seed, members, silos.sample or 0)
    for stop in _stops(run):
        if len(present) < silos.followed:
            present = latecomers(run, present)
        asked = cache(partial(_question, run, references, stop))  # one for all silos that stand alike
        questions = [
            (
                member,
                asked(
                    number, reported.get((arm.name, member), -1) + 1, silos.sample is None or member in some
                ),
            )
            for number, arm in enumerate(run.federation.experiment.arms)
            for member in present
        ]
        answers = run.federation.ask(questions, RetrainReply)
        for arm in run.federation.experiment.arms:
            run.federation.require(sum(reply.arm == arm.name for _, reply in answers), of=len(present))
        for member, reply in answers:
            run.federation.record.measured(reply)
            reported[reply.arm, member] = stop


def _stops(run: SeedRun) -> Iterator[int]:
    last = run.federation.experiment.recursion.generations
    step = run.federation.experiment.federation.generations_per_message or last or 1
    yield from range(step, last, step)
    yield last


def sample(seed: int, members: Sequence[Member], count: int) -> frozenset[Member]:
    """Return ``count`` random members: each draws a lot by its silo's name, and the lowest are taken."""
    lots = {m: stream(seed, "silos", "sample", m.silo).random() for m in members}
    return frozenset(sorted(members, key=lambda m: (lots[m], m.order))[:count])


def _question(run: SeedRun, references: Woven, stop: int, number: int, start: int, measured: bool) -> Retrain:
    """Ask for the generations from ``start`` to ``stop`` of the arm of this number."""
    experiment = run.federation.experiment
    arm = experiment.arms[number]
    arrays = with_prefix("features", run.kit.features.arrays()) | start_arrays(run)
    if run.kit.evaluation is not None:
        arrays |= with_prefix("evaluation", run.kit.evaluation.arrays())
    arrays |= with_prefix("held-out", run.kit.held_out)
    if run.kit.questions is not None:
        arrays["choices/questions"] = run.kit.questions
    released = _release_of(experiment, arm)
    if released is not None:
        arrays |= with_prefix("reference", references[released])
    return Retrain(
        **run.head,
        arm=arm,
        generator=sent_generator(run, arm),
        recursion=experiment.recursion_of(arm),
        evaluation_samples=experiment.evaluation.samples,
        measured=measured,
        start=start,
        stop=stop,
        snapshots=snapshots(experiment) if run.seed == experiment.seeds[0] else (),
        base_digest=digest_of_base(run),
        arrays=arrays,
    )


def snapshots(experiment: Experiment) -> tuple[int, ...]:
    """Return the generations whose candidates a silo keeps for the map: first, middle and last."""
    generations = experiment.recursion.generations
    return tuple(sorted({1, (generations + 1) // 2, generations}))
