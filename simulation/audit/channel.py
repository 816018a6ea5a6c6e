# SPDX-License-Identifier: Apache-2.0
"""The channel under audit: one kind of summary, sent through the same door that silos send it through.

Under secure aggregation the door is another: the rows are dealt out to as many silos as there are, each adds
its share of the noise, and what arrives is the sum, the only thing that masks let the server see.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.references import Summary
from tailweave.protocols.references.sliced import SlicedSummary
from tailweave.protocols.secure_sum.share import noise_variance, noisy_share
from tailweave.protocols.secure_sum.sketches import pooled_summary
from tailweave.simulation.audit.findings import Finding, Role


@dataclass(frozen=True)
class Channel:
    """What silos send for one reference at one epsilon.

    Attributes:
        spec: The reference.
        space: Public space.
        privacy: Bounds, with the fewest rows lowered to 1: attacks may be made on fewer rows than a
            deployment would send.
        silos: How many add up to one release under secure aggregation; otherwise without meaning.
    """

    spec: SummarisedReference
    space: PublicSpace
    privacy: PrivacySpec
    silos: int = 1

    @classmethod
    def of(
        cls, spec: SummarisedReference, space: PublicSpace, privacy: PrivacySpec, *, silos: int
    ) -> "Channel":
        """Open the channel that silos release through; without epsilon nothing is masked."""
        changes: dict[str, object] = {"min_rows": 1}
        if privacy.epsilon is None:
            changes |= {"secure_aggregation": False, "honest_silos": None}
        return cls(spec, space, privacy.model_copy(update=changes), silos)

    def strict(self, *, min_rows: int) -> "Channel":
        """Return the same channel with fewest rows put back."""
        return replace(self, privacy=self.privacy.model_copy(update={"min_rows": min_rows}))

    @property
    def summed(self) -> SlicedReference | None:
        """The sketch whose sum over silos is all that leaves them; None if each silo's own does."""
        masks = self.privacy.secure_aggregation
        return self.spec if masks and isinstance(self.spec, SlicedReference) else None

    @property
    def name(self) -> str:
        """The reference in a few words."""
        return f"{self.spec.described}{', masked' if self.summed else ''}"

    @cached_property
    def z(self) -> float | None:
        """Noise multiplier that epsilon and delta ask for; None without noise."""
        if self.privacy.epsilon is None:
            return None
        return noise_multiplier(self.privacy.epsilon, self.privacy.delta)

    @cached_property
    def noise_sd(self) -> float:
        """Largest standard deviation of the noise of a sum; 0 without noise or where nothing is summed."""
        if self.summed:
            variance: Floats | None = noise_variance(self.summed, self.privacy, self.silos)
        else:
            variance = gate.noise_variance(self.spec, self.privacy)
        return 0.0 if variance is None else float(np.sqrt(variance.max()))

    def finding(self, role: Role, arms: tuple[str, ...]) -> Finding:
        """Return what is claimed of this channel, before anything was found."""
        asked = self.privacy
        return Finding(self.name, arms, role, epsilon=asked.epsilon, delta=asked.delta, z=self.z)

    def send(self, rows: Floats, rng: np.random.Generator) -> Summary:
        """Return what arrives of rows (n, d) at the server; noise and k-means draw from ``rng``.

        Raises:
            ValueError: If the gate refuses the rows.
        """
        if self.summed:
            return self._sum(rows, self.summed, rng)
        return gate.release(
            rows,
            self.spec,
            FeatureMap.of(self.space),
            self.privacy,
            seed=self.space.seed,
            noise=SeededNoise(rng),
            rng=rng,
            charge=lambda cost: None,
        )

    def _sum(self, rows: Floats, spec: SlicedReference, rng: np.random.Generator) -> SlicedSummary:
        noise = SeededNoise(rng)
        shares = [
            noisy_share(
                part,
                spec,
                FeatureMap.of(self.space),
                self.privacy,
                seed=self.space.seed,
                silos=self.silos,
                noise=noise,
                charge=lambda cost: None,
            )
            for part in np.array_split(rows, self.silos)
        ]
        total = np.sum(shares, axis=0)
        return pooled_summary(total, spec)
