# SPDX-License-Identifier: Apache-2.0
"""Audit of a config: send what its silos would send, through the same gate, and attack it."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from clients.data.silo import Silo
from protocols.arrays import Floats
from protocols.config.experiment import Experiment
from protocols.config.references import QuantizedReference, SlicedReference
from protocols.privacy import gate
from protocols.privacy.canary import canary_audit
from protocols.privacy.mechanisms import lloyd
from protocols.privacy.mechanisms.grid import radius
from protocols.privacy.noise import SeededNoise
from protocols.references import Summary
from protocols.references.quantized import QuantizedSummary
from protocols.references.sliced import SlicedSummary, sketch_shape
from protocols.streams import stream
from simulation.audit.attacks.differencing import added_row
from simulation.audit.attacks.direct import direct
from simulation.audit.attacks.sliced_flow import sliced_flow
from simulation.audit.channel import Channel
from simulation.audit.findings import Attack, AuditResult, Canary, Finding, Promise, Role
from simulation.audit.game import play_density, play_linear
from simulation.audit.published import published
from simulation.audit.recovered import pooled, recovered
from simulation.audit.scene import Scene, released
from simulation.audit.scores import Membership

COMPARED = 2.0
"""Epsilon shown beside a config that has none."""
RUNS = 3000
"""Releases with and without the canary."""
_ARRIVALS = 10
_TINY = 10
_CROWD = 4.0
_INSIDE = 0.9
_FAR = 1e3
_LARGEST_FLOW = 65_536


def audit(experiment: Experiment, target: str, *, runs: int = RUNS) -> AuditResult:
    """Attack what a config would send, as configured and, for comparison, with (or without) noise.

    Attacks are made on the first seed, as if silos of any size were allowed to release: what ``min-rows``
    keeps from leaving cannot be worse than what is shown here.

    Args:
        experiment: The config.
        target: Where it came from, for the report.
        runs: Releases of each canary audit, with and without the canary.

    Returns:
        One finding for each releasing reference and epsilon, then the published protocols on the same rows.

    Raises:
        ValueError: If the experiment cannot be prepared or the gate refuses what it should release.
    """
    scene = Scene.of(experiment, experiment.seeds[0])
    claimed = experiment.privacy.epsilon
    other = COMPARED if claimed is None else None
    findings = []
    for spec, arms in released(experiment).items():
        for epsilon, role in _roles(claimed, other):
            channel = Channel.of(spec, scene.space, experiment.privacy, epsilon)
            findings.append(examine(scene, channel, arms, role, runs=runs))
    notes = (*_small_silos(experiment, scene), *general_notes(experiment))
    return AuditResult(experiment.name, target, (*findings, *published(scene)), notes)


def _roles(claimed: float | None, other: float | None) -> tuple[tuple[float | None, Role], ...]:
    return (claimed, "as configured"), (other, "for comparison")


def examine(scene: Scene, channel: Channel, arms: tuple[str, ...], role: Role, *, runs: int) -> Finding:
    """Run every attack on one channel.

    Args:
        scene: Silos and public space.
        channel: What they send.
        arms: Arms that use it, for the report.
        role: Why it is examined.
        runs: Releases of the canary audit.

    Returns:
        The finding.

    Raises:
        ValueError: If the gate refuses.
    """
    sent = [
        (silo, channel.send(scene.rows(silo), _rng(scene, channel, silo.name))) for silo in scene.world.silos
    ]
    flow = _tiny_silo(scene, channel)
    return Finding(
        protocol=channel.name,
        arms=arms,
        role=role,
        epsilon=channel.privacy.epsilon,
        delta=channel.privacy.delta,
        z=channel.z,
        attacks=(
            read_directly(scene, channel, sent),
            _differencing(scene, channel),
            *([flow] if flow else []),
        ),
        promises=promises(scene, channel, [summary for _, summary in sent]),
        membership=_membership(scene, channel),
        canary=run_canary(scene, channel, runs=runs),
    )


def read_directly(scene: Scene, channel: Channel, sent: Sequence[tuple[Silo, Summary]]) -> Attack:
    """Read single releases, one or more a silo."""
    found = [
        recovered(direct(summary, channel.spec, scene.space), scene.rows(silo), scene.ruler(silo))
        for silo, summary in sent
    ]
    return Attack("direct reading", pooled(found), one_release=True)


def _differencing(scene: Scene, channel: Channel) -> Attack:
    found = []
    for silo, row in _arriving(scene):
        rows, rng = scene.rows(silo), _rng(scene, channel, silo.name, "differencing")
        before, after = channel.send(rows, rng), channel.send(np.vstack([rows, row]), rng)
        guess = added_row(before, after, channel.spec, scene.space)
        found.append(recovered(guess, row[None, :], scene.ruler(silo)))
    return Attack("differencing", pooled(found))


def _arriving(scene: Scene) -> Iterator[tuple[Silo, Floats]]:
    """Yield rows that arrive later, in turn from all silos."""
    turns = [(rank, silo, row) for silo in scene.world.silos for rank, row in enumerate(scene.arrivals(silo))]
    for _, silo, row in sorted(turns, key=lambda turn: turn[0])[:_ARRIVALS]:
        yield silo, row


def _tiny_silo(scene: Scene, channel: Channel) -> Attack | None:
    """Attack a silo of a few rows, which ``min-rows`` keeps from releasing; sketches only."""
    spec, silo = channel.spec, scene.world.silos[0]
    if not isinstance(spec, SlicedReference) or math.prod(sketch_shape(spec)) > _LARGEST_FLOW:
        return None
    rows, rng = scene.rows(silo)[:_TINY], _rng(scene, channel, "flow")
    summary = channel.send(rows, rng)
    if not isinstance(summary, SlicedSummary):
        raise TypeError(f"a sliced reference must send a sketch, got {type(summary).__name__}")
    known = SlicedSummary(summary.sums, float(len(rows)))  # the attacker knows how many rows there are
    guesses = sliced_flow(known, spec, scene.space, rng=rng)
    return Attack(f"sliced flow, silo of {len(rows)}", recovered(guesses, rows, scene.ruler(silo)))


def promises(scene: Scene, channel: Channel, sent: Sequence[Summary]) -> tuple[Promise, ...]:
    """Look up in what was sent whether the settings' promises are kept."""
    found = []
    smallest = channel.privacy.min_cluster_size
    clusters = [summary.counts.min() for summary in sent if isinstance(summary, QuantizedSummary)]
    if isinstance(channel.spec, QuantizedReference):
        text = f"no cluster of fewer than {smallest} rows leaves a silo (min-cluster-size)"
        found.append(Promise(text, bool(min(clusters) >= smallest)))
    if channel.privacy.epsilon is not None:
        found.append(Promise("a silo below min-rows is refused", _refuses(scene, channel)))
    return tuple(found)


def _refuses(scene: Scene, channel: Channel) -> bool:
    rng = _rng(scene, channel, "too few")
    strict = channel.privacy.model_copy(update={"min_rows": 2})
    one = scene.rows(scene.world.silos[0])[:1]
    try:
        gate.release(
            one, channel.spec, scene.space, strict, noise=SeededNoise(rng), rng=rng, charge=lambda cost: None
        )
    except ValueError:
        return True
    return False


def _membership(scene: Scene, channel: Channel) -> Membership:
    rng, game = _rng(scene, channel, "membership"), scene.game()
    if isinstance(channel.spec, SlicedReference):
        return play_linear(game, channel.features, channel.total, channel.noise_sd, rng=rng)
    return play_density(game, channel.clusters, scene.space.scale, rng=rng)


def run_canary(scene: Scene, channel: Channel, *, runs: int) -> Canary | None:
    """Audit the release code path with one more, absurd row; None without noise.

    Unless it is capped it shows in any sketch. Clusters show it in a crowd just inside the clip radius, as a
    cluster of one would be dropped; only their last look leaves the silo, so the bound on epsilon is loose.
    """
    if channel.z is None:
        return None
    space, rows = scene.space, scene.rows(scene.world.silos[0])[:_TINY]
    absurd = space.center + _FAR * space.scale
    if isinstance(channel.spec, QuantizedReference):
        crowd = _CROWD * lloyd.fewest(space.dimension, lloyd.multipliers(channel.z)[-1])
        inside = space.center + _INSIDE * radius(space.dimension) * space.scale / math.sqrt(space.dimension)
        rows = np.tile(inside, (round(crowd), 1))
    found = canary_audit(
        lambda world, rng: channel.numbers(world, absurd, rng),
        rows,
        absurd,
        runs=runs,
        rng=_rng(scene, channel, "canary"),
    )
    return Canary(float(found.mu_hat), float(found.standard_error), runs)


def general_notes(experiment: Experiment) -> tuple[str, ...]:
    """Say what the figures do not."""
    said = [
        "Noise was drawn from a seeded stream, as in every simulation: figures hold for the mechanism, a "
        "deployment must draw from the operating system.",
        "Metrics leave the silos too, and no epsilon covers them.",
    ]
    if not released(experiment):
        said.insert(0, "No arm needs a summary: silos send nothing but metrics.")
    return tuple(said)


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
