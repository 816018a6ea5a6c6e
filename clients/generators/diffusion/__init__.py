# SPDX-License-Identifier: Apache-2.0
"""Generator ``diffusion``; torch and diffusers are imported only when a model is fitted or drawn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.measure import size_of, speeds
from tailweave.clients.generators.diffusion.model import Diffusion
from tailweave.clients.kinds import implements
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec


@implements(DiffusionSpec)
class DiffusionKind:
    """Trains diffusion models, each from the one before, and reads them back."""

    @staticmethod
    def fit(
        spec: DiffusionSpec, rows: Floats, *, rng: np.random.Generator, previous: object, course: Course
    ) -> Diffusion:
        """Train on rows; see ``Diffusion.fit``, and raises ``ValueError`` after a model of another kind."""
        if previous is not None and not isinstance(previous, Diffusion):
            raise ValueError(f"a diffusion model cannot go on from a {type(previous).__name__}")
        return Diffusion.fit(spec, rows, rng=rng, previous=previous, course=course)

    size = staticmethod(size_of)
    speeds = staticmethod(speeds)

    @staticmethod
    def read(spec: DiffusionSpec, arrays: Mapping[str, NDArray[Any]]) -> Diffusion:
        """Rebuild from ``arrays()`` or ``tensors()``."""
        return Diffusion.from_arrays(spec, arrays)


__all__ = ["Diffusion"]
