# SPDX-License-Identifier: Apache-2.0
"""The published protocols on the same rows: what a silo gives away with them, or would have."""

import math
from collections.abc import Iterator

from protocols.arrays import Floats
from protocols.config.experiment import Experiment
from protocols.references import TransportSpec
from protocols.streams import stream
from simulation.audit.attacks.inverse_map import barycentric_projection, rows_from_displacement
from simulation.audit.attacks.two_rounds import interpolation, rows_from_interpolation, unknown_t
from simulation.audit.findings import Attack, Finding
from simulation.audit.recovered import recovered
from simulation.audit.scene import Scene, raw_arms

NAMES = {
    "barycenter": "Scheme II, barycentric projections",
    "geodesic": "Scheme I and FedWaD, interpolation",
}
_MOST_ROWS = 500
"""Rows attacked; exact transport takes n^3."""
_SEEN_AT = (0.3, 0.6)
"""Positions along the geodesic in the two rounds; the attacker does not know them."""
_EXACT = "attacked as if its transport were exact"


def published(scene: Scene) -> tuple[Finding, ...]:
    """Attack Schemes II and I of arXiv 2606.13732 on the first silo, with a support as large as the silo.

    The messages are simulated here, from those papers, whether a config asks for them or not.

    Returns:
        Two findings of role ``published``: shown for comparison, they break nothing.
    """
    silo = scene.world.silos[0]
    rows, by = scene.rows(silo)[:_MOST_ROWS], scene.ruler(silo)
    return tuple(
        Finding(
            NAMES[kind], (), "published", None, math.nan, None, (Attack(name, recovered(guesses, rows, by)),)
        )
        for kind in NAMES
        for name, guesses in [_attack(scene, rows, kind, len(rows))]
    )


def forced(scene: Scene, experiment: Experiment) -> Iterator[Finding]:
    """Do the same for every such reference of a config, with a support of the size that it asks for.

    Nothing is claimed for these, so an attack that succeeds breaks nothing.

    Args:
        scene: Silos and public space.
        experiment: The config.

    Yields:
        One finding a reference.
    """
    silo = scene.world.silos[0]
    rows, by = scene.rows(silo)[:_MOST_ROWS], scene.ruler(silo)
    for spec, arms in raw_arms(experiment).items():
        name, guesses = _attack(scene, rows, spec.kind, spec.support)
        attack = Attack(name, recovered(guesses, rows, by))
        note = "" if spec.transport == "exact" else _EXACT
        yield Finding(
            described(spec), arms, "as configured", None, experiment.privacy.delta, None, (attack,), note=note
        )


def described(spec: TransportSpec) -> str:
    """Name the protocol and the size of its support."""
    return f"{spec.kind}, {spec.support} atoms ({NAMES[spec.kind].split(',')[0]})"


def _attack(scene: Scene, rows: Floats, kind: str, atoms: int) -> tuple[str, Floats]:
    """Return the attack's name and its guesses (atoms, d), from what a silo of ``rows`` would answer."""
    rng, shape = stream(scene.seed, "audit", "published", kind), (atoms, rows.shape[1])
    spread = rng.standard_normal((2, *shape)) + rng.standard_normal((2, 1, shape[1]))  # means differ
    supports = scene.space.center + scene.space.scale * spread
    if kind == "barycenter":
        displacement = supports[0] - barycentric_projection(supports[0], rows)
        return "inverse map", rows_from_displacement(supports[0], displacement)
    replies = [interpolation(x, rows, t, rng=rng) for x, t in zip(supports, _SEEN_AT, strict=True)]
    t, _ = unknown_t((supports[0], replies[0]), (supports[1], replies[1]))
    return "two rounds, unknown t", rows_from_interpolation(supports[0], replies[0], t)
