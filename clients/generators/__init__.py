# SPDX-License-Identifier: Apache-2.0
"""Generators: one contract, one file (or folder) a kind."""

from collections.abc import Mapping
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.base import GeneratorKind
from tailweave.protocols.kinds.implementing import implementation


class Generator(Protocol):
    """A fitted model of samples; refitting gives a new one, so a model never changes under its user."""

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw ``count`` samples of the sort that it was fitted on."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the parameters by name, in double or single precision, as ``read`` reads them back."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """A model that says how likely a sample is; its spec offers the score ``surprise``."""

    def log_probabilities(self, samples: Samples) -> Floats:
        """Return the log of the density, or of the probability, of each sample, shape (n,)."""
        ...


class Prompted(Protocol):
    """A model that draws what continues documents of the silo's own; its spec has ``sees_own``."""

    def prompted(self, own: Samples) -> Generator:
        """Return the same with the beginnings of other documents."""
        ...


class Kind(Protocol):
    """What implements a generator's spec: it fits models, and reads them back."""

    def fit(
        self,
        spec: GeneratorKind,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: Generator | None,
        course: Course,
    ) -> Generator:
        """Fit a model; see ``fit``."""
        ...

    def read(
        self, spec: GeneratorKind, arrays: Mapping[str, NDArray[np.generic]], sort: Sort | None
    ) -> Generator:
        """Rebuild a model from its parameters; see ``from_arrays``."""
        ...


def fit(
    spec: GeneratorKind,
    samples: Samples,
    *,
    rng: np.random.Generator,
    previous: Generator | None = None,
    course: Course = NOTHING_BESIDE,
) -> Generator:
    """Fit a generator of the kind that ``spec`` names.

    Args:
        spec: Kind and options.
        samples: What it is fitted on, n of them.
        rng: Stream of the fit's own randomness.
        previous: The model of the generation before; a kind that starts warm goes on from it.
        course: For kinds that train for long: whom to tell, and where to keep an unfinished state.

    Returns:
        The fitted model.

    Raises:
        ValueError: If samples are too few for the model, or the model is of another kind than the previous
            one.
    """
    kind: Kind = implementation(spec, spec.kind, __package__)
    return kind.fit(spec, samples, rng=rng, previous=previous, course=course)


def from_arrays(
    spec: GeneratorKind, arrays: Mapping[str, NDArray[np.generic]], sort: Sort | None = None
) -> Generator:
    """Rebuild a generator of the kind that ``spec`` names from its parameters.

    Args:
        spec: Kind and options.
        arrays: Parameters by name.
        sort: What it draws; None for rows of unnamed columns.

    Raises:
        ValueError: If parts are missing or do not fit.
    """
    kind: Kind = implementation(spec, spec.kind, __package__)
    return kind.read(spec, arrays, sort)


def primed(spec: GeneratorKind, model: Generator, own: Samples | None) -> Generator:
    """Return a model as it draws on a silo: with beginnings of the silo's own where its spec wants these.

    Raises:
        ValueError: If it wants them and this arm sees no rows of the silo, or none will do.
    """
    if spec.sees_own is None:
        return model
    if own is None:
        raise ValueError(f"{spec.sees_own} needs the silo's own rows, which this arm does not see")
    prompted: Prompted = cast(Prompted, model)
    return prompted.prompted(own)


def doubles(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Return parameters as float64, for kinds whose parameters are all that."""
    return {name: array.astype(np.float64, copy=False) for name, array in arrays.items()}


__all__ = ["Course", "Generator", "Kind", "Likelihood", "doubles", "fit", "from_arrays", "primed"]
