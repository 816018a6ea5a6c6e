# SPDX-License-Identifier: Apache-2.0
"""Reference ``geodesic``: one interpolating measure a silo, Scheme I of arXiv 2606.13732."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, probabilities
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.transported import GeodesicReference
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.transport.projection import calibrated, potential


@dataclass(frozen=True)
class Geodesic(Empirical):
    """The silos' interpolants: apart for rule ``nash``, and as the points of their mixture for all others.

    Attributes:
        interpolants: Atoms of equal mass of each silo, shape (K, s, d).
        weights: Weight of each silo, shape (K,), sum to 1.
        reg: Entropic strength in units of the cost |x - y|^2; None for exact potentials.
    """

    interpolants: Floats
    weights: Floats
    reg: float | None = None

    @property
    def entropic_reg(self) -> float | None:
        """As configured."""
        return self.reg

    def potentials(self, x: Floats) -> Floats:
        """Return the calibrated transport potential of each candidate onto each silo's interpolant.

        Args:
            x: Candidates of equal mass, shape (N, d).

        Returns:
            N / (N - 1) (f - mean f), shape (K, N), squared feature units; lower is better.

        Raises:
            ValueError: If x has another number of columns or a non-finite entry.
            ArithmeticError: If a transport problem is not solved.

        Source:
            arXiv 2606.13732, Scheme I: each silo's calibrated gradient, against its interpolating measure.
        """
        equal = np.ones(self.interpolants.shape[1])
        return calibrated(
            np.stack([potential(x, atoms, equal, entropic_reg=self.reg) for atoms in self.interpolants])
        )


@implements(GeodesicReference)
def read(arrays: Mapping[str, Floats], spec: GeodesicReference, space: PublicSpace) -> Geodesic:
    """Rebuild the reference from ``interpolants`` (K, s, d) and positive ``weights`` (K,).

    Raises:
        ValueError: If arrays are missing, not finite, or do not fit ``spec``.
    """
    if set(arrays) != {"interpolants", "weights"}:
        raise ValueError(f"geodesic reference needs arrays interpolants and weights, got {sorted(arrays)}")
    atoms, weights = arrays["interpolants"], probabilities(arrays["weights"], "weights of the silos")
    wanted = len(weights), spec.support, space.dimension
    if atoms.shape != wanted:
        raise ValueError(f"interpolants must have shape {wanted}, got {atoms.shape}")
    if not np.isfinite(atoms).all() or weights.min() <= 0.0:
        raise ValueError(f"interpolants must be finite and weights positive, got weights {weights.tolist()}")
    masses = np.repeat(weights / spec.support, spec.support)
    return Geodesic(atoms.reshape(-1, space.dimension), masses, atoms, weights, spec.entropic_reg)
