# SPDX-License-Identifier: Apache-2.0
"""Reference ``barycenter``: the free-support Wasserstein barycenter of all silos, Scheme II of 2606.13732."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.transported import BarycenterReference
from tailweave.protocols.references.empirical import Empirical


@dataclass(frozen=True)
class Barycenter(Empirical):
    """Atoms of equal mass, as any reference of points; its transport potentials have the configured strength.

    Attributes:
        reg: Entropic strength in units of the cost |x - y|^2; None for exact potentials.
    """

    reg: float | None = None

    @property
    def entropic_reg(self) -> float | None:
        """As configured."""
        return self.reg


@implements(BarycenterReference)
def read(arrays: Mapping[str, Floats], spec: BarycenterReference, space: PublicSpace) -> Barycenter:
    """Rebuild the reference from ``support`` (s, d).

    Raises:
        ValueError: If arrays are missing or do not fit ``spec``.
    """
    if set(arrays) != {"support"}:
        raise ValueError(f"barycenter reference needs array 'support', got {sorted(arrays)}")
    support = matrix(arrays["support"], "barycenter support", columns=space.dimension)
    if len(support) != spec.support:
        raise ValueError(f"barycenter support must have {spec.support} atoms, got {len(support)}")
    return Barycenter(support, np.full(len(support), 1.0 / len(support)), spec.entropic_reg)
