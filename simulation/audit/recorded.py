# SPDX-License-Identifier: Apache-2.0
"""Audit of a run: attack the very bytes that left its silos, which the run folder recorded."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from clients.data.silo import Silo
from protocols.arrays import Floats
from protocols.config.experiment import Experiment
from protocols.config.load import load_experiment
from protocols.config.references import SlicedReference
from protocols.references import ReleasingSpec, Summary, read_summary
from protocols.references.sliced import SlicedSummary
from protocols.streams import stream
from simulation.audit.attacks.differencing import added_row
from simulation.audit.attacks.likelihood_ratio import Background, Suspects
from simulation.audit.attacks.mixture_density import calibrated_density
from simulation.audit.attacks.sliced_flow import sliced_flow
from simulation.audit.audit import RUNS, general_notes, promises, read_directly, run_canary
from simulation.audit.channel import Channel
from simulation.audit.findings import Attack, AuditResult, Finding, Promise
from simulation.audit.game import FLOORS, RIDGES, best, shadows
from simulation.audit.recovered import pooled, recovered
from simulation.audit.scene import Scene, released
from simulation.audit.scores import Membership
from simulation.audit.wire_noise import independent, large_enough, wire_noise
from simulation.run_folder import Row, RunFolder, RunFolderError

_GAMES = 20
"""Recorded summaries that membership is played on."""
_FLOW_ROWS = 50
"""Largest silo whose rows are reconstructed from its sketch."""


@dataclass(frozen=True)
class Recorded:
    """One summary as it left a silo.

    Attributes:
        scene: The seed that it belongs to.
        silo: Who sent it; its rows are rebuilt from the config, never read from the wire.
        spec: The reference that it was sent for.
        summary: What was sent.
        epsilon: What the wire log says that it cost.
    """

    scene: Scene
    silo: Silo
    spec: ReleasingSpec
    summary: Summary
    epsilon: float | None

    @property
    def rows(self) -> Floats:
        """The silo's features, shape (n, d)."""
        return self.scene.rows(self.silo)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the stream of one attack on this summary."""
        return stream(self.scene.seed, "audit", purpose, self.silo.name)


def audit_run(folder: RunFolder, *, runs: int = RUNS) -> AuditResult:
    """Attack what a run recorded.

    Args:
        folder: A finished, simulated run.
        runs: Releases of each canary audit, with and without the canary.

    Returns:
        One finding a reference, over all seeds and silos.

    Raises:
        ValueError: If the folder is incomplete, its data cannot be rebuilt, or a summary in it is not of any
            reference of the config.
    """
    folder.config()  # says what is missing before anything is computed
    return attack_recorded(folder, load_experiment(folder.path / "config.yaml"), runs=runs)


def attack_recorded(folder: RunFolder, experiment: Experiment, *, runs: int = RUNS) -> AuditResult:
    """Do what ``audit_run`` does, for an experiment that has been read."""
    messages = list(recorded(folder, experiment))
    findings = []
    for spec, arms in released(experiment).items():
        mine = [message for message in messages if message.spec == spec]
        if mine:
            findings.append(_finding(experiment, mine, arms, runs=runs))
    return AuditResult(experiment.name, str(folder.path), tuple(findings), general_notes(experiment))


def recorded(folder: RunFolder, experiment: Experiment) -> Iterator[Recorded]:
    """Yield the summaries of a run in the order in which they left the silos.

    Raises:
        ValueError: If a summary cannot be read or belongs to no reference or silo of the config.
    """
    specs = tuple(released(experiment))
    scene_of = lru_cache(maxsize=None)(lambda seed: Scene.of(experiment, seed))
    seen: dict[tuple[int, str, str], int] = {}
    for row in (row for row in folder.wire() if row.get("arrays")):
        scene = scene_of(row["seed"])
        silo = next((silo for silo in scene.world.silos if silo.name == row["silo"]), None)
        if silo is None:
            raise RunFolderError(f"{folder.path}: {row['arrays']} is from unknown silo {row['silo']!r}")
        key = (row["seed"], row["silo"], row["kind"])
        turn = seen[key] = seen.get(key, -1) + 1
        spec, summary = _read(folder, row, [s for s in specs if s.kind == row["kind"]], turn, scene)
        yield Recorded(scene, silo, spec, summary, (row.get("privacy") or {}).get("epsilon"))


def _read(
    folder: RunFolder, row: Row, specs: Sequence[ReleasingSpec], turn: int, scene: Scene
) -> tuple[ReleasingSpec, Summary]:
    """Read a summary; where several references of its kind fit, they were asked for in turn."""
    path = folder.path / str(row["arrays"])
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path} is not a readable summary: {error}") from error
    fits, reason = [], "no reference of that kind"
    for spec in specs:
        try:
            fits.append((spec, read_summary(arrays, spec, scene.space.dimension)))
        except ValueError as error:
            reason = str(error)
    if not fits:
        raise RunFolderError(f"{path} fits no {row['kind']} reference of the config: {reason}")
    return fits[turn % len(fits)]


def _finding(
    experiment: Experiment, mine: Sequence[Recorded], arms: tuple[str, ...], *, runs: int
) -> Finding:
    claimed, first = experiment.privacy.epsilon, mine[0].scene
    channel = Channel.of(mine[0].spec, first.space, experiment.privacy, claimed)
    direct = [read_directly(m.scene, _at(channel, m.scene), [(m.silo, m.summary)]).recovery for m in mine]
    again = list(_sent_again(mine))
    kept = [*promises(first, channel, [m.summary for m in mine])]
    if claimed is not None:
        fewest = min(len(m.rows) for m in mine)
        kept += [
            Promise("every summary is logged with the epsilon claimed", _logged(mine, claimed)),
            Promise("one release a data version, re-sent byte for byte", not again),
            Promise("no silo below min-rows released", fewest >= experiment.privacy.min_rows),
            *_noise(channel, mine),
        ]
    return Finding(
        protocol=channel.name,
        arms=arms,
        role="as recorded",
        epsilon=claimed,
        delta=experiment.privacy.delta,
        z=channel.z,
        attacks=(
            Attack("direct reading", pooled(direct), one_release=True),
            *_differencing(again),
            *_flow([m for m in mine if len(m.rows) <= _FLOW_ROWS]),
        ),
        promises=tuple(kept),
        membership=_membership(channel, mine[:_GAMES]),
        canary=run_canary(first, channel, runs=runs),
    )


def _at(channel: Channel, scene: Scene) -> Channel:
    return replace(channel, space=scene.space)


def _logged(mine: Sequence[Recorded], claimed: float) -> bool:
    return all(m.epsilon is not None and m.epsilon <= claimed * (1 + 1e-9) for m in mine)


def _noise(channel: Channel, mine: Sequence[Recorded]) -> Iterator[Promise]:
    """Look up the noise of sketches; bytes that were sent again are the same release and the same noise."""
    noises = {
        (m.scene.seed, m.silo.name, m.summary.sums.tobytes()): wire_noise(
            m.summary, m.rows, m.spec, m.scene.space
        )
        for m in mine
        if isinstance(m.summary, SlicedSummary) and isinstance(m.spec, SlicedReference)
    }
    if noises:
        enough = all(large_enough(noise, channel.noise_sd) for noise in noises.values())
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
    found = [
        recovered(
            added_row(before.summary, after.summary, after.spec, after.scene.space),
            after.rows,
            after.scene.ruler(after.silo),
        )
        for before, after in again
    ]
    return [Attack("differencing", pooled(found))] if found else []


def _flow(tiny: Sequence[Recorded]) -> list[Attack]:
    found = [
        recovered(
            sliced_flow(m.summary, m.spec, m.scene.space, rng=m.rng("flow")),
            m.rows,
            m.scene.ruler(m.silo),
        )
        for m in tiny
        if isinstance(m.summary, SlicedSummary) and isinstance(m.spec, SlicedReference)
    ]
    return [Attack("sliced flow", pooled(found))] if found else []


def _membership(channel: Channel, mine: Sequence[Recorded]) -> Membership | None:
    """Tell a silo's rows from those that it held out; both come from one shuffle, so the game is fair."""
    scores, cuts = [], []
    for m in mine:
        members, others = len(m.rows), len(m.silo.heldout)
        if others < 2:
            continue
        scores.append(_scores(_at(channel, m.scene), m))
        cuts.append((np.arange(members), np.arange(members, members + others)))
    return best(scores, cuts) if scores else None


def _scores(channel: Channel, m: Recorded) -> Floats:
    suspects = np.concatenate([m.rows, m.scene.arrivals(m.silo)])
    auxiliary = m.scene.auxiliary(m.silo)
    if isinstance(m.summary, SlicedSummary):
        known = Background.of(channel.features(auxiliary))
        prepared = Suspects.of(channel.features(suspects), known)
        total = m.summary.sums.ravel()[: known.mean.size]
        return prepared.scores(total, len(m.rows), channel.noise_sd, RIDGES)
    rng = m.rng("shadows")
    others = [channel.clusters(rows, rng) for rows in shadows(auxiliary, len(m.rows), rng=rng)]
    unit = m.scene.space.scale**2
    return np.stack([calibrated_density(suspects, m.summary, others, floor * unit) for floor in FLOORS])
