# SPDX-License-Identifier: Apache-2.0
"""Generator ``diffusion``; torch and diffusers are imported only when a model is fitted or drawn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.measure import size_of, speeds
from tailweave.clients.generators.diffusion.model import Diffusion
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.kinds.implementing import implements


@implements(DiffusionSpec)
class DiffusionKind:
    """Trains diffusion models, each from the one before, and reads them back."""

    @staticmethod
    def fit(
        spec: DiffusionSpec, samples: Samples, *, rng: np.random.Generator, previous: object, course: Course
    ) -> Diffusion:
        """Train on samples; see ``Diffusion.fit``; raises ``ValueError`` after a model of another kind."""
        if previous is not None and not isinstance(previous, Diffusion):
            raise ValueError(f"a diffusion model cannot go on from a {type(previous).__name__}")
        return Diffusion.fit(spec, samples, rng=rng, previous=previous, course=course)

    size = staticmethod(size_of)
    speeds = staticmethod(speeds)

    @staticmethod
    def read(spec: DiffusionSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None) -> Diffusion:
        """Rebuild from ``arrays()``."""
        return Diffusion.from_arrays(spec, arrays, sort)


__all__ = ["Diffusion"]
