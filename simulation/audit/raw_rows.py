# SPDX-License-Identifier: Apache-2.0
"""References that hand out rows: what silos answer for them, or answered in a run, and the rows in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tailweave.clients.data.silo import Silo
from tailweave.clients.node import Node
from tailweave.clients.release.policy import simulation_policy
from tailweave.clients.transport_round import transport
from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.transported import TransportedReference
from tailweave.protocols.messages import TransportSupport
from tailweave.simulation.audit.attacks.inverse_map import rows_from_map
from tailweave.simulation.audit.findings import Attack, Finding, Role
from tailweave.simulation.audit.published import NAMES
from tailweave.simulation.audit.recovered import pooled, recovered
from tailweave.simulation.audit.scene import Scene, raw_arms
from tailweave.simulation.audit.wire_log import RawPoints

ALL_ATOMS = "inverse map of n atoms"
"""The attack of a server that asks for as many atoms as a silo has rows."""
_NO_BOUND = "n is the rows of the smallest silo: who allows the reference at all allows as many atoms"
_ASKED = PrivacySpec(epsilon=None, min_rows=1, allow_raw_row_leakage=True)


def forced(scene: Scene, experiment: Experiment) -> Iterator[Finding]:
    """Ask the silos' own code for the first message of every such reference of a config, and undo the map.

    First with the support of the config, then, of the smallest silo, with as many atoms as it has rows and
    exact transport: a silo that allows such a reference at all cannot refuse that.

    Raises:
        ValueError: If a silo cannot solve the transport problem that the config asks for.
    """
    silos = scene.world.silos
    smallest = min(silos, key=lambda silo: len(silo.train))
    for spec, arms in raw_arms(experiment).items():
        attacks, note = [_undone(scene, spec, silos, "inverse map")], ""
        atoms = len(smallest.train)
        if atoms <= len(scene.public):  # and so within the largest support
            update = {"support": atoms, "transport": "exact", "entropic_reg": None}
            attacks.append(_undone(scene, spec.model_copy(update=update), [smallest], ALL_ATOMS))
            note = _NO_BOUND
        yield _finding(spec, arms, "as configured", experiment, attacks, note)


def recorded(experiment: Experiment, messages: Sequence[RawPoints]) -> Iterator[Finding]:
    """Take the points that silos sent for rows, and undo the map of each silo's first message.

    Yields:
        One finding a reference of the config, also where the run kept none of its messages.
    """
    for spec, arms in raw_arms(experiment).items():
        mine = [m for m in messages if m.spec == spec]
        kept = [m for m in mine if m.points is not None]
        lost = f"{len(mine) - len(kept)} of {len(mine)} messages are not in the run folder: not attacked"
        attacks = [_read(kept), *_undone_firsts(spec, mine)] if kept else []
        note = lost if len(kept) < len(mine) else "" if mine else "no message is in the run folder"
        yield _finding(spec, arms, "as recorded", experiment, attacks, note)


def answer(scene: Scene, silo: Silo, spec: TransportedReference, support: Floats) -> Floats:
    """Return what a silo with that reference in its policy answers to a support (s, d): shape (s, d).

    Raises:
        ValueError: If it cannot solve the transport problem.
    """
    arrays = with_prefix("features", scene.features.arrays()) | {"support": support}
    question = TransportSupport(
        run="audit", seed=scene.seed, reference=spec, privacy=_ASKED, turn=1, arrays=arrays
    )
    with TemporaryDirectory() as state:
        node = Node(silo, Path(state), truth=None, config=None, policy=simulation_policy())
        return transport(node, question).arrays["moved"]


def described(spec: TransportedReference) -> str:
    """Name the protocol and the size of its support."""
    return f"{spec.kind}, {spec.support} atoms ({NAMES[spec.kind].split(',')[0]})"


def _finding(
    spec: TransportedReference,
    arms: tuple[str, ...],
    role: Role,
    experiment: Experiment,
    attacks: Sequence[Attack],
    note: str = "",
) -> Finding:
    said = "answers are projections of rows, without noise"
    if spec.kind == "geodesic":
        said += "; what comes of them goes to all silos"
    return Finding(
        protocol=described(spec),
        arms=arms,
        role=role,
        delta=experiment.privacy.delta,
        attacks=tuple(attacks),
        note="; ".join(filter(None, (said, note))),
        hands_out_rows=True,
    )


def _undone(scene: Scene, spec: TransportedReference, silos: Sequence[Silo], name: str) -> Attack:
    """Send the first support to silos and undo what comes back."""
    support, found = scene.public[: spec.support], []
    for silo in silos:
        guesses = _undo(spec, support, answer(scene, silo, spec, support))
        found.append(recovered(guesses, scene.rows(silo), scene.ruler(silo)))
    return Attack(name, pooled(found), one_release=True)


def _undo(spec: TransportedReference, support: Floats, moved: Floats) -> Floats:
    return rows_from_map(support, moved, share=spec.share, entropic_reg=spec.entropic_reg)


def _by_silo(messages: Sequence[RawPoints]) -> Iterator[list[RawPoints]]:
    groups: dict[tuple[int, str], list[RawPoints]] = {}
    for m in messages:
        groups.setdefault((m.scene.seed, m.silo.name), []).append(m)
    yield from groups.values()


def _read(kept: Sequence[RawPoints]) -> Attack:
    """Take every point of every turn for a row."""
    found = []
    for mine in _by_silo(kept):
        points = np.concatenate([m.points for m in mine if m.points is not None])
        found.append(recovered(points, mine[0].rows, mine[0].scene.ruler(mine[0].silo)))
    return Attack("direct reading", pooled(found), one_release=True)


def _undone_firsts(spec: TransportedReference, messages: Sequence[RawPoints]) -> list[Attack]:
    """Undo the first turn, whose support everybody knows; an exact whole map leaves nothing to undo."""
    if spec.kind == "barycenter" and spec.entropic_reg is None:
        return []
    found = []
    for first, *_ in _by_silo(messages):
        if first.points is not None:
            guesses = _undo(spec, first.scene.public[: spec.support], first.points)
            found.append(recovered(guesses, first.rows, first.scene.ruler(first.silo)))
    return [Attack("inverse map", pooled(found), one_release=True)] if found else []
