# SPDX-License-Identifier: Apache-2.0
"""Attacks on ``quantized``: read and subtract centroids, and look where clusters are denser than others'."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.privacy.mechanisms import lloyd
from tailweave.protocols.privacy.mechanisms.grid import radius
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.simulation.audit.attacks.base import Attacks, Look
from tailweave.simulation.audit.attacks.mixture_density import calibrated_density
from tailweave.simulation.audit.findings import Canary, Promise
from tailweave.simulation.audit.request import FEWEST_RUNS

SHADOWS = 24
FLOORS = (1e-3, 1e-2, 1e-1)
"""Smallest cluster variances that the density attacker tries, squared public scale; the best is reported."""
LAST_LOOK = f"the last of {lloyd.ITERATIONS + 2} looks, the only one that leaves the silo,"
_INSIDE = 0.85
_CROWD = 5.0


@implements(QuantizedReference, part="attack")
class ClusterAttacks(Attacks[QuantizedSummary]):
    """Attacks on centroids with counts and variances."""

    def read(self, sent: QuantizedSummary) -> Floats:
        """Take all centroids: a cluster of equal rows gives that very row away."""
        return sent.centroids

    def added(self, before: QuantizedSummary, after: QuantizedSummary) -> Floats:
        r"""Subtract sums: exact without noise, whatever the clusters and their smallest size.

        .. math:: y = \sum_j n'_j c'_j - \sum_j n_j c_j
        """
        return (after.counts @ after.centroids - before.counts @ before.centroids)[None, :]

    def membership(
        self, suspects: Floats, auxiliary: Floats, rows: int, rng: np.random.Generator
    ) -> Callable[[QuantizedSummary], Floats]:
        """Compare densities, calibrated on shadow silos cut from the auxiliary rows."""
        owned = len(auxiliary)
        picks = (rng.choice(owned, rows, replace=owned < rows) for _ in range(SHADOWS))
        others: list[Any] = [self.channel.send(auxiliary[pick], rng) for pick in picks]
        floors = [floor * self.space.scale**2 for floor in FLOORS]
        return lambda sent: np.stack([calibrated_density(suspects, sent, others, floor) for floor in floors])

    def numbers(self, sent: QuantizedSummary, near: Floats) -> Floats:
        """Return count and moments of the cluster nearest to ``near``, shape (d + 2,)."""
        nearest = int(((sent.centroids - near) ** 2).sum(axis=1).argmin())
        count, center = sent.counts[nearest], sent.centroids[nearest] - self.space.center
        square = (sent.variances[nearest] + center**2).sum()
        found: Floats = count * np.concatenate([[1.0], center, [square]])
        return found

    def canaries(self, z: float, rows: Floats, runs: int) -> list[Look]:
        """Ask about one row more in a crowd of equal rows, and about an absurd row beside it.

        Clusters show no single row: a cluster of one is dropped. Equal rows are in one cluster at every look,
        whatever the noise: of that cluster the noisy count and sums can be read off, and no earlier look can
        have moved the row to another. What is seen is then the last look alone, whose noise is known, so
        noise that is too small shows although the other looks stay hidden. The crowd lies within the clip
        radius (where noise would push a mean out of the ball, the mean is cut back and hides what it should
        show), so 15 % of what the row could do is not seen. The absurd row, in a tenth of the runs, shows if
        it is not clipped.
        """
        space, last = self.space, lloyd.multipliers(z)[-1]
        inside = space.center + _INSIDE * radius(space.dimension) * space.scale / math.sqrt(space.dimension)
        crowd = np.tile(inside, (round(_CROWD * lloyd.fewest(space.dimension, last)), 1))
        return [
            (crowd, inside, Canary(0.0, 0.0, runs, 1.0 / last, LAST_LOOK)),
            (crowd, self.absurd, Canary(0.0, 0.0, max(FEWEST_RUNS, runs // 10), 1.0 / z)),
        ]

    def promises(self, sent: Sequence[QuantizedSummary]) -> Iterator[Promise]:
        """Look up whether no cluster is too small."""
        smallest = self.channel.privacy.min_cluster_size
        found = min((summary.counts.min() for summary in sent), default=smallest)
        text = f"no cluster of fewer than {smallest} rows leaves a silo (min-cluster-size)"
        yield Promise(text, bool(found >= smallest))
