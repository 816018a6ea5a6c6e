# SPDX-License-Identifier: Apache-2.0
"""What kinds of networks have in common: each is trained from the one before, and read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators import Generator
from tailweave.clients.generators.course import Course
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.kinds.generators.base import GeneratorKind


@dataclass(frozen=True)
class TrainedKind:
    """Trains models of one class, and reads them back.

    Attributes:
        model: Their class, with ``fit`` and ``from_arrays``.
        called: What one is called, with its article.
        size: What a model would take; see ``clients.neural.cost``.
        speeds: How long it would take on the devices that are there.
    """

    model: Any
    called: str
    size: Callable[..., Any]
    speeds: Callable[..., Any]

    def fit(
        self,
        spec: GeneratorKind,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: object,
        course: Course,
    ) -> Generator:
        """Train on samples; see the model's ``fit``; raises ``ValueError`` after a model of another kind."""
        if previous is not None and not isinstance(previous, self.model):
            raise ValueError(f"{self.called} cannot go on from a {type(previous).__name__}")
        fitted: Generator = self.model.fit(spec, samples, rng=rng, previous=previous, course=course)
        return fitted

    def read(self, spec: Any, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None) -> Any:  # noqa: ANN401
        """Rebuild from ``arrays()``."""
        found: Generator = self.model.from_arrays(spec, arrays, sort)
        return found
