# SPDX-License-Identifier: Apache-2.0
"""The published protocols on the same rows: what a silo would have given away with them."""

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.streams import stream
from tailweave.protocols.transport.projection import project
from tailweave.simulation.audit.attacks.inverse_map import rows_from_map
from tailweave.simulation.audit.attacks.two_rounds import interpolation, rows_from_interpolation, unknown_t
from tailweave.simulation.audit.findings import Attack, Finding
from tailweave.simulation.audit.recovered import recovered
from tailweave.simulation.audit.scene import Scene, raw_arms

NAMES = {
    "barycenter": "Scheme II, barycentric projections",
    "geodesic": "Scheme I and FedWaD, interpolation",
}
"""As published, by the kind of reference that is made of them."""
_MOST_ROWS = 500
"""Rows attacked; exact transport takes n^3."""
_SEEN_AT = (0.3, 0.6)
"""Positions along the geodesic in the two rounds; the attacker does not know them."""


def published(scene: Scene, experiment: Experiment) -> tuple[Finding, ...]:
    """Attack Schemes II and I of arXiv 2606.13732 on the first silo, with a support as large as the silo.

    Messages are those of the papers: the atoms of Scheme I come back in another order, and the attacker does
    not know how far they went.

    Protocols that the experiment itself asks for are left out; what is found breaks nothing.
    """
    used = {spec.kind for spec in raw_arms(experiment)}
    silo = scene.world.silos[0]
    rows, by = scene.rows(silo)[:_MOST_ROWS], scene.ruler(silo)
    return tuple(
        Finding(NAMES[kind], (), "published", attacks=(Attack(name, recovered(guesses, rows, by)),))
        for kind in NAMES
        if kind not in used
        for name, guesses in [_attack(scene, rows, kind)]
    )


def _attack(scene: Scene, rows: Floats, kind: str) -> tuple[str, Floats]:
    """Return the attack's name and its guesses (n, d), from what a silo of ``rows`` (n, d) would answer."""
    rng, shape = stream(scene.seed, "audit", "published", kind), rows.shape
    spread = rng.standard_normal((2, *shape)) + rng.standard_normal((2, 1, shape[1]))  # means differ
    supports = scene.space.center + scene.space.scale * spread
    if kind == "barycenter":
        return "inverse map", rows_from_map(supports[0], project(supports[0], rows).image)
    replies = [interpolation(x, rows, t, rng=rng) for x, t in zip(supports, _SEEN_AT, strict=True)]
    t, _ = unknown_t((supports[0], replies[0]), (supports[1], replies[1]))
    return "two rounds, unknown t", rows_from_interpolation(supports[0], replies[0], t)
