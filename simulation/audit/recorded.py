# SPDX-License-Identifier: Apache-2.0
"""Audit of a run: attack the very bytes that left its silos, which the run folder recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.references import Summary
from tailweave.simulation.audit.attacks.base import Attacks, attacks_on, untried
from tailweave.simulation.audit.audit import read_directly
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import Attack, AuditResult, Finding, Promise
from tailweave.simulation.audit.game import best
from tailweave.simulation.audit.levels import guess_levels
from tailweave.simulation.audit.notes import notes
from tailweave.simulation.audit.one_row import run_canary
from tailweave.simulation.audit.parameters import averaged
from tailweave.simulation.audit.promises import SECURE_SUM, promises
from tailweave.simulation.audit.published import published
from tailweave.simulation.audit.raw_rows import recorded
from tailweave.simulation.audit.recovered import pooled, recovered
from tailweave.simulation.audit.request import RUNS
from tailweave.simulation.audit.scene import TINY, Released, Scene, released
from tailweave.simulation.audit.scores import Membership
from tailweave.simulation.audit.secure_sums import masked_promises, sums
from tailweave.simulation.audit.wire_log import MaskedVector, RawPoints, Recorded, read_wire
from tailweave.simulation.audit.wire_noise import independent, large_enough
from tailweave.simulation.inputs import began_with, check_inputs, inputs_of
from tailweave.simulation.run_folder import RunFolder

_GAMES = 20
"""Recorded summaries that membership is played on."""
_LOST = "masked words are not all in the run folder: sums were not attacked"
_FLOW_ROWS = 50
"""Largest silo whose rows are reconstructed from its sketch."""


def audit_run(folder: RunFolder, *, runs: int = RUNS) -> AuditResult:
    """Attack what a run recorded.

    Returns:
        One finding a reference and epsilon, over all seeds and silos; then the published protocols on the
        rows of the first seed, for comparison.

    Raises:
        ValueError: If the folder is incomplete, its data cannot be rebuilt or are others than the run's, or a
            summary in it is not of any reference of the config.
    """
    folder.config()  # says what is missing before anything is computed
    experiment = load_experiment(folder.path / "config.yaml")
    if began := began_with(folder.path):
        check_inputs(experiment, began, inputs_of(experiment), f"audit of {folder.path}")
    return attack_recorded(folder, experiment, runs=runs)


def attack_recorded(folder: RunFolder, experiment: Experiment, *, runs: int = RUNS) -> AuditResult:
    """Do what ``audit_run`` does, for an experiment that has been read."""
    messages, scene = list(read_wire(folder, experiment)), Scene.of(experiment, experiment.seeds[0])
    findings = []
    for asked, arms in released(experiment).items():
        mine = [m for m in messages if isinstance(m, Recorded) and m.released == asked]
        under_masks = [m for m in messages if isinstance(m, MaskedVector) and m.released == asked]
        if mine:
            findings.append(_finding(asked, arms, mine, runs=runs))
        if under_masks:
            findings.append(_summed_finding(asked, arms, under_masks, runs=runs))
        if not mine and not under_masks:
            spec, privacy = asked
            channel = Channel.of(spec, scene.space, privacy, silos=len(scene.world.silos))
            nothing = replace(channel.finding("as recorded", arms), note="no message is in the run folder")
            findings.append(nothing)
    findings += averaged(experiment, "as recorded")
    findings += recorded(experiment, [m for m in messages if isinstance(m, RawPoints)])
    findings += published(scene, experiment)
    return AuditResult(experiment.name, str(folder.path), tuple(findings), notes(experiment))


def _finding(asked: Released, arms: tuple[str, ...], mine: Sequence[Recorded], *, runs: int) -> Finding:
    privacy, first = asked[1], mine[0]
    finding, attacks = _channel(first).finding("as recorded", arms), attacks_on(_channel(first))
    if attacks is None:
        return replace(finding, note=untried(_channel(first)))
    again = list(_sent_again(mine))
    kept = [*promises(first.scene, attacks, [m.summary for m in mine])]
    if privacy.secure_aggregation:
        kept.append(Promise(SECURE_SUM, False))
    if privacy.epsilon is not None:
        fewest = min(len(m.rows) for m in mine)
        kept += [
            Promise("every summary is logged with the epsilon claimed", _logged(mine, privacy.epsilon)),
            Promise("one release a data version, re-sent byte for byte", not again),
            Promise("no silo below min-rows released", fewest >= privacy.min_rows),
            *_noise(mine),
        ]
    return replace(
        finding,
        attacks=(
            _read(mine),
            *_differencing(again),
            *_rebuilt([m for m in mine if len(m.rows) <= _FLOW_ROWS]),
        ),
        promises=tuple(kept),
        membership=_membership(mine[:_GAMES]),
        canary=run_canary(attacks, first.rows[:TINY], runs=runs, rng=first.rng("canary")),
        guesses=guess_levels(first.scene, attacks, runs=runs // 3, rng=first.rng("levels")),
    )


def _summed_finding(
    asked: Released, arms: tuple[str, ...], vectors: Sequence[MaskedVector], *, runs: int
) -> Finding:
    """Attack the sums of masked vectors, all that masks let the server see."""
    found, first = sums(vectors), vectors[0]
    spec, privacy = asked
    channel = Channel.of(spec, first.scene.space, privacy, silos=len(first.scene.world.silos))
    finding, attacks = channel.finding("as recorded", arms), attacks_on(channel)
    if attacks is None:
        return replace(finding, note=untried(channel))
    logged = privacy.epsilon is not None and all(v.epsilon == privacy.epsilon for v in vectors)
    return replace(
        finding,
        attacks=(_read(found),) if found else (),
        promises=(
            *masked_promises(vectors),
            Promise("every masked vector is logged with the epsilon claimed", logged),
            *_noise(found),
        ),
        membership=_membership(found[:_GAMES]),
        canary=run_canary(attacks, first.rows[:TINY], runs=runs, rng=first.rng("canary")),
        guesses=guess_levels(first.scene, attacks, runs=runs // 3, rng=first.rng("levels")),
        note=SECURE_SUM if found else _LOST,
    )


def _channel(m: Recorded) -> Channel:
    spec, privacy = m.released
    return Channel.of(spec, m.scene.space, privacy, silos=max(1, len(m.parts)))


def _attacks(m: Recorded) -> Attacks[Any]:
    """Return the attacks on a message, of a kind that has some."""
    found = attacks_on(_channel(m))
    if found is None:
        raise ValueError(untried(_channel(m)))
    return found


def _read(mine: Sequence[Recorded]) -> Attack:
    found = [
        read_directly(m.scene, _attacks(m), [(silo, m.summary) for silo in m.parts or (m.silo,)]).recovery
        for m in mine
    ]
    return Attack("direct reading", pooled(found), one_release=True)


def _logged(mine: Sequence[Recorded], claimed: float) -> bool:
    return all(m.epsilon is not None and m.epsilon <= claimed * (1 + 1e-9) for m in mine)


def _noise(mine: Sequence[Recorded]) -> Iterator[Promise]:
    """Look up the noise of sketches; bytes that were sent again are the same release and the same noise."""
    noises, enough = {}, True
    for m in mine:
        added = _attacks(m).noise(m.summary, m.rows)
        if added is not None:
            sent = b"".join(array.tobytes() for array in m.summary.arrays().values())
            noises[m.scene.seed, m.silo.name, sent] = added
            enough = enough and large_enough(added, _channel(m).noise_sd)
    if noises:
        yield Promise("the noise on the wire is as large as claimed", enough)
        yield Promise("no two releases share their noise", independent(list(noises.values())))


def _sent_again(mine: Sequence[Recorded]) -> Iterator[tuple[Recorded, Recorded]]:
    """Yield pairs of different releases that one silo made for one reference in one seed."""
    groups: dict[tuple[int, str], list[Recorded]] = {}
    for message in mine:
        groups.setdefault((message.scene.seed, message.silo.name), []).append(message)
    for group in groups.values():
        yield from (pair for pair in pairwise(group) if not _same(pair[0].summary, pair[1].summary))


def _same(one: Summary, other: Summary) -> bool:
    a, b = one.arrays(), other.arrays()
    return all(np.array_equal(a[name], b[name]) for name in a)


def _differencing(again: Sequence[tuple[Recorded, Recorded]]) -> list[Attack]:
    found = []
    for before, after in again:
        guess = _attacks(after).added(before.summary, after.summary)
        if guess is not None:
            found.append(recovered(guess, after.rows, after.scene.ruler(after.silo)))
    return [Attack("differencing", pooled(found))] if found else []


def _rebuilt(tiny: Sequence[Recorded]) -> list[Attack]:
    able = [(m, attacks) for m in tiny for attacks in [_attacks(m)] if attacks.rebuilds(quick=False)]
    found = [
        recovered(attacks.rebuilt(m.summary, m.summary.count, m.rng("flow")), m.rows, m.scene.ruler(m.silo))
        for m, attacks in able
    ]
    return [Attack(able[0][1].rebuilds(quick=False), pooled(found))] if found else []


def _membership(mine: Sequence[Recorded]) -> Membership | None:
    """Tell a silo's rows from those that it held out; both come from one shuffle, so the game is fair."""
    scores, cuts = [], []
    for m in mine:
        members, others = len(m.rows), len(m.silo.heldout)
        if others < 2:
            continue
        suspects = np.concatenate([m.rows, m.scene.arrivals(m.silo)])
        scored = _attacks(m).membership(suspects, m.scene.auxiliary(m.silo), members, m.rng("shadows"))
        if scored is not None:
            scores.append(scored(m.summary))
            cuts.append((np.arange(members), np.arange(members, members + others)))
    return best(scores, cuts) if scores else None
