# SPDX-License-Identifier: Apache-2.0
"""The canary: how well is one row more seen through the very code path that releases?"""

import math
from dataclasses import replace

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.privacy.canary import canary_audit
from tailweave.protocols.privacy.mechanisms import lloyd
from tailweave.protocols.privacy.mechanisms.grid import radius
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import Canary
from tailweave.simulation.audit.request import FEWEST_RUNS

LAST_LOOK = f"the last of {lloyd.ITERATIONS + 2} looks, the only one that leaves the silo,"
_FAR = 1e3
_INSIDE = 0.85
_CROWD = 5.0


def run_canary(channel: Channel, rows: Floats, *, runs: int, rng: np.random.Generator) -> Canary | None:
    """Audit the release code path with one more row.

    A sketch is asked about an absurd row, which shows unless it is capped. Clusters show no single row: a
    cluster of one is dropped. They are asked about one row more in a crowd of equal rows, so that all of them
    are in one cluster at every look, whatever the noise: of that cluster the noisy count and sums can be read
    off, and no earlier look can have moved the row to another. What is seen is then the last look alone,
    whose noise is known, so noise that is too small shows although the other looks stay hidden. The crowd
    lies within the clip radius (where noise would push a mean out of the ball, the mean is cut back and hides
    what it should show), so 15 % of what the row could do is not seen. An absurd row beside the crowd, in a
    tenth of the runs, shows if it is not clipped.

    Returns:
        What was seen and what was allowed: of clusters by the row in the crowd, unless the absurd one alone
        breaks its bound. None without noise, where everything is seen.
    """
    if channel.z is None:
        return None
    space, whole = channel.space, 1.0 / channel.z
    absurd = space.center + _FAR * space.scale
    if not isinstance(channel.spec, QuantizedReference):
        return _look(channel, rows, absurd, Canary(0.0, 0.0, runs, whole), rng)
    last = lloyd.multipliers(channel.z)[-1]
    inside = space.center + _INSIDE * radius(space.dimension) * space.scale / math.sqrt(space.dimension)
    crowd = np.tile(inside, (round(_CROWD * lloyd.fewest(space.dimension, last)), 1))
    found = (
        _look(channel, crowd, inside, Canary(0.0, 0.0, runs, 1.0 / last, LAST_LOOK), rng),
        _look(channel, crowd, absurd, Canary(0.0, 0.0, max(FEWEST_RUNS, runs // 10), whole), rng),
    )
    broken = [canary for canary in found if canary.mu_bound > canary.allowed]
    return (broken or found)[0]


def _look(channel: Channel, rows: Floats, row: Floats, wanted: Canary, rng: np.random.Generator) -> Canary:
    """Return ``wanted`` with what was seen of ``row`` beside ``rows``."""
    found = canary_audit(
        lambda world, stream: channel.numbers(world, row, stream), rows, row, runs=wanted.runs, rng=rng
    )
    return replace(wanted, mu=float(found.mu_hat), standard_error=float(found.standard_error))
