# SPDX-License-Identifier: Apache-2.0
"""The canary: how well is one row more seen through the very code path that releases?"""

from dataclasses import replace
from typing import Any

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.privacy.canary import canary_audit
from tailweave.simulation.audit.attacks.base import Attacks
from tailweave.simulation.audit.findings import Canary


def run_canary(attacks: Attacks[Any], rows: Floats, *, runs: int, rng: np.random.Generator) -> Canary | None:
    """Audit the release code path with one more row beside ``rows`` (n, d), which the attacker knows.

    Returns:
        What was seen of the kind's first canary and what was allowed, unless another breaks its bound. None
        without noise, where everything is seen.
    """
    channel = attacks.channel
    if channel.z is None:
        return None
    found = []
    for beside, row, wanted in attacks.canaries(channel.z, rows, runs):

        def released(world: Floats, stream: np.random.Generator, row: Floats = row) -> Floats:
            return attacks.numbers(channel.send(world, stream), row)

        seen = canary_audit(released, beside, row, runs=wanted.runs, rng=rng)
        found.append(replace(wanted, mu=float(seen.mu_hat), standard_error=float(seen.standard_error)))
    broken = [canary for canary in found if canary.mu_bound > canary.allowed]
    return (broken or found)[0]
