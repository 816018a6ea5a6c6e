# SPDX-License-Identifier: Apache-2.0
"""Generator ``vae``; torch is imported only when a model is fitted or drawn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.vae.measure import size_of, speeds
from tailweave.clients.generators.vae.model import Vae
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.kinds.generators.vae import VaeSpec
from tailweave.protocols.kinds.implementing import implements


@implements(VaeSpec)
class VaeKind:
    """Trains autoencoders, each from the one before, and reads them back."""

    @staticmethod
    def fit(
        spec: VaeSpec, samples: Samples, *, rng: np.random.Generator, previous: object, course: Course
    ) -> Vae:
        """Train on images; see ``Vae.fit``; raises ``ValueError`` after a model of another kind."""
        if previous is not None and not isinstance(previous, Vae):
            raise ValueError(f"an autoencoder cannot go on from a {type(previous).__name__}")
        return Vae.fit(spec, samples, rng=rng, previous=previous, course=course)

    size = staticmethod(size_of)
    speeds = staticmethod(speeds)

    @staticmethod
    def read(spec: VaeSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None) -> Vae:
        """Rebuild from ``arrays()``."""
        return Vae.from_arrays(spec, arrays, sort)


__all__ = ["Vae"]
