# SPDX-License-Identifier: Apache-2.0
"""The published protocols on the same rows, for comparison: what a silo would have given away with them."""

import numpy as np

from protocols.streams import stream
from simulation.audit.attacks.inverse_map import barycentric_projection, rows_from_displacement
from simulation.audit.attacks.two_rounds import interpolation, rows_from_interpolation, unknown_t
from simulation.audit.findings import Attack, Finding
from simulation.audit.recovered import recovered
from simulation.audit.scene import Scene

_MOST_ROWS = 500
"""Rows attacked; exact transport takes n^3."""


def published(scene: Scene) -> tuple[Finding, ...]:
    """Attack Schemes II and I of arXiv 2606.13732 on the first silo, with a support as large as the silo.

    Returns:
        Two findings of role ``published``: no config can send these messages in this version.
    """
    silo = scene.world.silos[0]
    rows, by = scene.rows(silo)[:_MOST_ROWS], scene.ruler(silo)
    rng = stream(scene.seed, "audit", "published")
    spread = rng.standard_normal((2, *rows.shape)) + rng.standard_normal(
        (2, 1, rows.shape[1])
    )  # means differ
    supports = scene.space.center + scene.space.scale * spread
    displacement = supports[0] - barycentric_projection(supports[0], rows)
    mapped = rows_from_displacement(supports[0], displacement)
    replies = [interpolation(x, rows, t, rng=rng) for x, t in zip(supports, (0.3, 0.6), strict=True)]
    t, _ = unknown_t((supports[0], replies[0]), (supports[1], replies[1]))
    walked = rows_from_interpolation(supports[0], replies[0], t)
    attacks = (
        ("barycentric projections (Scheme II)", Attack("inverse map", recovered(mapped, rows, by), True)),
        ("interpolation (Scheme I, FedWaD)", Attack("two rounds, unknown t", recovered(walked, rows, by))),
    )
    return tuple(Finding(name, (), "published", None, np.nan, None, (attack,)) for name, attack in attacks)
