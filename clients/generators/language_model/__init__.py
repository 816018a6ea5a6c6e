# SPDX-License-Identifier: Apache-2.0
"""Generator ``language-model``; torch and transformers are imported only when a model is fitted or used."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.language_model.model import LanguageModel
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.kinds.implementing import implements


@implements(LanguageModelSpec)
class LanguageModelKind:
    """Trains language models, each from the one before, and reads them back."""

    @staticmethod
    def fit(
        spec: LanguageModelSpec,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: object,
        course: Course,
    ) -> LanguageModel:
        """Train on documents; see ``LanguageModel.fit``; raises ``ValueError`` after another kind."""
        if previous is not None and not isinstance(previous, LanguageModel):
            raise ValueError(f"a language model cannot go on from a {type(previous).__name__}")
        return LanguageModel.fit(spec, samples, rng=rng, previous=previous, course=course)

    @staticmethod
    def read(
        spec: LanguageModelSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None
    ) -> LanguageModel:
        """Rebuild from ``arrays()``."""
        return LanguageModel.from_arrays(spec, arrays)


__all__ = ["LanguageModel"]
