# SPDX-License-Identifier: Apache-2.0
"""What settings promise besides epsilon, looked up in what was sent."""

from collections.abc import Sequence
from typing import Any

from tailweave.protocols.references import Summary
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.attacks.base import Attacks
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import Promise
from tailweave.simulation.audit.scene import Scene

SECURE_SUM = "masked: server sees only the sum"


def promises(scene: Scene, attacks: Attacks[Any], sent: Sequence[Summary]) -> tuple[Promise, ...]:
    """Look up what the kind promises, and whether the door refuses a silo that is too small."""
    channel = attacks.channel
    found = [*attacks.promises(sent)]
    if channel.privacy.epsilon is not None:
        found.append(Promise("a silo below min-rows is refused", _refuses(scene, channel)))
    return tuple(found)


def _refuses(scene: Scene, channel: Channel) -> bool:
    rows = scene.rows(scene.world.silos[0])[: channel.silos]  # one row a silo under secure aggregation
    strict = channel.strict(min_rows=len(rows) + 1)
    try:
        strict.send(rows, stream(scene.seed, "audit", "too few"))
    except ValueError as error:
        return "min-rows" in str(error)
    return False
