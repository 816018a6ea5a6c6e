# SPDX-License-Identifier: Apache-2.0
"""Audit of a config: send what its silos would send, through the same door, and attack it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tailweave.clients.data.silo import Silo
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.references import Summary
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.attacks.base import Attacks, attacks_on, untried
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import Attack, AuditResult, Finding, Role
from tailweave.simulation.audit.game import play
from tailweave.simulation.audit.levels import guess_levels
from tailweave.simulation.audit.notes import notes
from tailweave.simulation.audit.one_row import run_canary
from tailweave.simulation.audit.parameters import averaged
from tailweave.simulation.audit.promises import SECURE_SUM, promises
from tailweave.simulation.audit.published import published
from tailweave.simulation.audit.raw_rows import forced
from tailweave.simulation.audit.recovered import pooled, recovered
from tailweave.simulation.audit.request import RUNS
from tailweave.simulation.audit.scene import TINY, Scene, released
from tailweave.simulation.worlds import check_worlds

COMPARED = 2.0
"""Epsilon shown beside a reference that is released without one only."""
_ARRIVALS = 10


@dataclass(frozen=True)
class _Case:
    """A release to examine, the arms that use it, and why."""

    spec: SummarisedReference
    privacy: PrivacySpec
    arms: tuple[str, ...]
    role: Role


def audit(experiment: Experiment, target: str, *, runs: int = RUNS) -> AuditResult:
    """Attack what a config would send, as configured and, for comparison, with (or without) noise.

    Attacks are made on the first seed. What is released without noise, or with it for comparison only, is
    attacked as if silos of any size were allowed to release: what ``min-rows`` keeps from leaving cannot be
    worse than what is shown here.

    Returns:
        One finding for each release, then those for comparison, those of references that hand out rows, and
        the published protocols on the same rows.

    Raises:
        ValueError: If the experiment cannot be prepared, or a silo would refuse what it should release.
    """
    check_worlds(experiment)
    scene = Scene.of(experiment, experiment.seeds[0])
    findings = [examine(scene, case, runs=runs) for case in _cases(experiment)]
    findings += averaged(experiment, "as configured")
    findings += [*forced(scene, experiment), *published(scene, experiment)]
    said = (*_small_silos(experiment, scene), *notes(experiment))
    return AuditResult(experiment.name, target, tuple(findings), said)


def _cases(experiment: Experiment) -> list[_Case]:
    """Return what is released, each reference beside itself without noise, or with noise if it never has."""
    asked = released(experiment)
    cases = [_Case(spec, privacy, arms, "as configured") for (spec, privacy), arms in asked.items()]
    for spec in dict.fromkeys(spec for spec, _ in asked):
        own = [case for case in cases if case.spec == spec]
        epsilons = {case.privacy.epsilon for case in own}
        other = COMPARED if epsilons == {None} else None
        if other not in epsilons and not (other and spec.unnoised):
            privacy = own[0].privacy.model_copy(update={"epsilon": other})
            arms = tuple(arm for case in own for arm in case.arms)
            cases.append(_Case(spec, privacy, arms, "for comparison"))
    return cases


def examine(scene: Scene, case: _Case, *, runs: int) -> Finding:
    """Run every attack on one release.

    Raises:
        ValueError: If the gate refuses.
    """
    channel = Channel.of(case.spec, scene.space, case.privacy, silos=len(scene.world.silos))
    finding, attacks = channel.finding(case.role, case.arms), attacks_on(channel)
    if attacks is None:
        return replace(finding, note=untried(channel))
    sent = list(_sent(scene, channel))
    rows = scene.rows(scene.world.silos[0])[:TINY]
    return replace(
        finding,
        attacks=(
            read_directly(scene, attacks, sent),
            *_differencing(scene, attacks),
            *_tiny_silo(scene, attacks),
        ),
        promises=promises(scene, attacks, [summary for _, summary in sent]),
        membership=play(scene.game(), attacks, rng=_rng(scene, channel, "membership")),
        canary=run_canary(attacks, rows, runs=runs, rng=_rng(scene, channel, "canary")),
        guesses=guess_levels(scene, attacks, runs=runs // 3, rng=_rng(scene, channel, "levels")),
        note=SECURE_SUM if channel.summed else "",
    )


def _sent(scene: Scene, channel: Channel) -> Iterator[tuple[Silo, Summary]]:
    """Yield what the server sees of each silo: its summary, or the sum of all."""
    silos = scene.world.silos
    if channel.summed:
        everyone = np.concatenate([scene.rows(silo) for silo in silos])
        total = channel.send(everyone, _rng(scene, channel, "sum"))
        yield from ((silo, total) for silo in silos)
        return
    for silo in silos:
        yield silo, channel.send(scene.rows(silo), _rng(scene, channel, silo.name))


def read_directly(scene: Scene, attacks: Attacks[Any], sent: Sequence[tuple[Silo, Summary]]) -> Attack:
    """Read single releases, one or more a silo."""
    found = [recovered(attacks.read(s), scene.rows(silo), scene.ruler(silo)) for silo, s in sent]
    return Attack("direct reading", pooled(found), one_release=True)


def _differencing(scene: Scene, attacks: Attacks[Any]) -> list[Attack]:
    found, channel = [], attacks.channel
    for silo, row in _arriving(scene):
        rows, rng = scene.rows(silo), _rng(scene, channel, silo.name, "differencing")
        before, after = channel.send(rows, rng), channel.send(np.vstack([rows, row]), rng)
        guess = attacks.added(before, after)
        if guess is not None:
            found.append(recovered(guess, row[None, :], scene.ruler(silo)))
    return [Attack("differencing", pooled(found))] if found else []


def _arriving(scene: Scene) -> Iterator[tuple[Silo, Floats]]:
    """Yield rows that arrive later, in turn from all silos."""
    turns = [(rank, silo, row) for silo in scene.world.silos for rank, row in enumerate(scene.arrivals(silo))]
    for _, silo, row in sorted(turns, key=lambda turn: turn[0])[:_ARRIVALS]:
        yield silo, row


def _tiny_silo(scene: Scene, attacks: Attacks[Any]) -> list[Attack]:
    """Attack a silo of a few rows, which ``min-rows`` keeps from releasing."""
    name = attacks.rebuilds(quick=True)
    if not name:
        return []
    channel, silo = attacks.channel, scene.world.silos[0]
    rows, rng = scene.rows(silo)[:TINY], _rng(scene, channel, "flow")
    sent = channel.send(rows, rng)
    guesses = attacks.rebuilt(sent, float(len(rows)), rng)  # the attacker knows how many rows there are
    return [Attack(f"{name} on {len(rows)} rows", recovered(guesses, rows, scene.ruler(silo)))]


def _small_silos(experiment: Experiment, scene: Scene) -> tuple[str, ...]:
    smallest, fewest = min(len(silo.train) for silo in scene.world.silos), experiment.privacy.min_rows
    if smallest >= fewest:
        return ()
    return (
        f"The smallest silo holds {smallest} rows: with epsilon set the gate refuses it (min-rows is "
        f"{fewest}). It is attacked here as if it had released.",
    )


def _rng(scene: Scene, channel: Channel, *purpose: str) -> np.random.Generator:
    return stream(scene.seed, "audit", channel.name, str(channel.privacy.epsilon), *purpose)
