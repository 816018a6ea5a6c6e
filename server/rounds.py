# SPDX-License-Identifier: Apache-2.0
"""The three rounds of one seed: hello, summarise, retrain."""

import time
from collections.abc import Iterator, Mapping, Sequence

from protocols.arrays import Floats
from protocols.config.data import TableData
from protocols.config.experiment import ArmSpec, Experiment
from protocols.config.privacy import PrivacySpec
from protocols.config.references import (
    BarycenterReference,
    GeodesicReference,
    QuantizedReference,
    SlicedReference,
)
from protocols.kept_reference import KeptReference
from protocols.kit import PublicKit
from protocols.messages import (
    Hello,
    HelloReply,
    Retrain,
    RetrainReply,
    Summarise,
    SummariseReply,
    with_prefix,
)
from protocols.records import MAX_BODY_BYTES, MAX_BODY_COMMAS
from protocols.references import TransportSpec
from server import masked
from server.federation import Federation, Member
from server.transport_rounds import transported
from server.weaving import Released, woven_reference

Asked = Released | tuple[TransportSpec, PrivacySpec]
Woven = Mapping[Asked, dict[str, Floats]]
_SPARE = 100
"""Commas of a message besides those between columns."""
_JOIN_LOOK_SECONDS = 0.2


def run_seed(federation: Federation, seed: int, kit: PublicKit) -> None:
    """Run all arms for one seed.

    Args:
        federation: Who is asked.
        seed: Root seed.
        kit: Feature map and base generator that all silos are given.

    Raises:
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    members = greet(federation, seed, kit)
    references = summarise(federation, seed, kit, members)
    _keep(federation, seed, kit, references)
    retrain(federation, seed, kit, members[: federation.experiment.silos.followed], references)


def greet(federation: Federation, seed: int, kit: PublicKit) -> list[Member]:
    """Round ``hello``: learn who is there; refuse silos whose data do not fit or whose name is taken."""
    question = _hello(federation, seed, kit)
    asked = [(Member(node, name), question) for node, name in _nodes(federation).items()]
    _tell_unconnected(federation, seed)
    members: dict[str, Member] = {}
    answers = federation.ask(asked, HelloReply)
    for node, reply in sorted(answers, key=lambda answer: Member(0, answer[1].silo).order):
        member = Member(node.node_id, reply.silo, reply.rows_at_least)
        if node.silo not in (reply.silo, f"node-{node.node_id}"):
            reason = f"says that it is {reply.silo}, its key is registered as {node.silo}"
            federation.refuse(node, question, reason)
        elif reply.silo in members:
            federation.refuse(member, question, f"duplicate: another node is already {reply.silo}")
        elif reply.columns != kit.features.columns:
            wanted = kit.features.columns
            federation.refuse(
                member, question, f"data has {reply.columns} columns, the feature map needs {wanted}"
            )
        else:
            members[reply.silo] = member
    federation.require(len(members))
    return sorted(members.values(), key=lambda member: member.order)


def _tell_unconnected(federation: Federation, seed: int) -> None:
    missing, count = federation.away.unconnected, federation.experiment.silos.count
    if missing:
        federation.record.refused(
            seed=seed,
            kind=Hello.kind,
            silo=f"{missing} not connected",
            arm=None,
            reason=f"{count - missing} of {count} silos are connected; `tailweave deploy check` on the "
            "hosts of the others says why they are not",
        )


def _hello(federation: Federation, seed: int, kit: PublicKit) -> Hello:
    data = federation.experiment.data
    table = data if isinstance(data, TableData) else None
    return Hello(
        run=federation.run,
        seed=seed,
        columns=kit.columns if kit.columns and _can_be_sent(kit.columns) else None,
        label=table and table.label,
        standardized=table is not None and table.standardize,
    )


def _can_be_sent(names: Sequence[str]) -> bool:
    """Tell whether a message has room for these names; else the silos' columns are only counted."""
    commas, size = sum(name.count(",") + 1 for name in names), sum(len(name.encode()) for name in names)
    return commas <= MAX_BODY_COMMAS - _SPARE and size <= MAX_BODY_BYTES // 2


def _nodes(federation: Federation) -> dict[int, str]:
    """Wait, but not for ever, until all silos are connected; return what Flower calls each node."""
    limits, count = federation.experiment.federation, federation.experiment.silos.count
    end = time.monotonic() + min(limits.return_seconds, limits.deadline_seconds)
    nodes = list(federation.grid.get_nodes())
    while len(nodes) < count - federation.away.unconnected and time.monotonic() < end:
        time.sleep(_JOIN_LOOK_SECONDS)
        nodes = list(federation.grid.get_nodes())
    federation.away.unconnected = max(0, count - len(nodes))
    names = {int(node.node_id): str(node.name) for node in nodes}
    return {number: names[number] or f"node-{number}" for number in sorted(names)}


def summarise(federation: Federation, seed: int, kit: PublicKit, members: Sequence[Member]) -> Woven:
    """Round ``summarise``: collect one summary a silo for each reference that needs them, and weave them."""
    woven: dict[Asked, dict[str, Floats]] = {}
    for spec, privacy in _released(federation.experiment):
        if privacy.secure_aggregation and isinstance(spec, SlicedReference):
            woven[spec, privacy] = masked.summarise(federation, seed, kit, (spec, privacy), members)
            continue
        if isinstance(spec, BarycenterReference | GeodesicReference):
            woven[spec, privacy] = transported(federation, seed, kit, (spec, privacy), members)
            continue
        question = Summarise(
            run=federation.run,
            seed=seed,
            reference=spec,
            privacy=privacy,
            arrays=with_prefix("features", kit.features.arrays()),
        )
        answers = federation.ask([(member, question) for member in members], SummariseReply)
        federation.require(len(answers))
        woven[spec, privacy] = woven_reference(federation, seed, kit, (spec, privacy), answers)
    return woven


def _released(experiment: Experiment) -> list[Asked]:
    """Return every summary that is asked for, once, in the order of the arms."""
    asked = (_release_of(experiment, arm) for arm in experiment.arms)
    return list(dict.fromkeys(released for released in asked if released is not None))


def _release_of(experiment: Experiment, arm: ArmSpec) -> Asked | None:
    if isinstance(arm.reference, QuantizedReference | SlicedReference):
        return arm.reference, experiment.privacy_of(arm)
    if isinstance(arm.reference, BarycenterReference | GeodesicReference):
        return arm.reference, experiment.privacy_of(arm)
    return None


def _keep(federation: Federation, seed: int, kit: PublicKit, references: Woven) -> None:
    """Write each arm's woven reference into the run folder, where `tailweave serve` looks for it."""
    for arm in federation.experiment.arms:
        released = _release_of(federation.experiment, arm)
        if released is not None:
            kept = KeptReference(
                federation.run, arm.name, seed, released[0], kit.features, references[released]
            )
            kept.save(federation.record.out / "references" / f"seed-{seed}" / f"{arm.name}.npz")


def retrain(
    federation: Federation, seed: int, kit: PublicKit, members: Sequence[Member], references: Woven
) -> None:
    """Round ``retrain``: bring every arm on every silo to the last generation, a few at a time.

    A silo that missed an exchange is asked again at the next one, from where its reports stop.
    """
    reported = {(arm.name, member): -1 for arm in federation.experiment.arms for member in members}
    for stop in _stops(federation):
        questions = [
            (
                member,
                _question(federation, seed, kit, arm, (reported[arm.name, member] + 1, stop), references),
            )
            for arm in federation.experiment.arms
            for member in members
        ]
        answers = federation.ask(questions, RetrainReply)
        for arm in federation.experiment.arms:
            federation.require(sum(reply.arm == arm.name for _, reply in answers), of=len(members))
        for member, reply in answers:
            federation.record.measured(reply)
            reported[reply.arm, member] = stop


def _stops(federation: Federation) -> Iterator[int]:
    last = federation.experiment.recursion.generations
    step = federation.experiment.federation.generations_per_message or last or 1
    yield from range(step, last, step)
    yield last


def _question(
    federation: Federation,
    seed: int,
    kit: PublicKit,
    arm: ArmSpec,
    span: tuple[int, int],
    references: Woven,
) -> Retrain:
    experiment = federation.experiment
    arrays = with_prefix("features", kit.features.arrays()) | with_prefix("base", kit.base)
    released = _release_of(experiment, arm)
    if released is not None:
        arrays |= with_prefix("reference", references[released])
    return Retrain(
        run=federation.run,
        seed=seed,
        arm=arm,
        generator=experiment.generator,
        recursion=experiment.recursion,
        evaluation_samples=experiment.evaluation.samples,
        start=span[0],
        stop=span[1],
        snapshots=snapshots(experiment) if seed == experiment.seeds[0] else (),
        arrays=arrays,
    )


def snapshots(experiment: Experiment) -> tuple[int, ...]:
    """Return the generations whose candidates a silo keeps for the map: first, middle and last."""
    generations = experiment.recursion.generations
    return tuple(sorted({1, (generations + 1) // 2, generations}))
