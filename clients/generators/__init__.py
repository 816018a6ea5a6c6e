# SPDX-License-Identifier: Apache-2.0
"""Generators: one contract, one file (or folder) a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.samples import Labels, Samples, Sort
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


@runtime_checkable
class Labeller(Protocol):
    """A model that says what class an input is of; its spec offers the score ``confidence``."""

    def judged(self, inputs: Samples) -> tuple[Labels, Floats]:
        """Return the class of each input, and its probability, both (n,)."""
        ...

    def confidence(self, samples: Samples) -> Floats:
        """Return the probability of the label that each sample has, shape (n,)."""
        ...


@dataclass(frozen=True)
class Around:
    """What there is around a model on a silo, for one that draws with its help.

    Attributes:
        own: The silo's own rows; None for an arm that sees none.
        base: The public base, for a model that looks at that.
        shares: Share of each class in the arm's reference; None where there are no classes.
    """

    own: Samples | None
    base: Generator | None = None
    shares: Mapping[str, float] | None = None


@runtime_checkable
class Primed(Protocol):
    """A model that draws with the help of what is around it."""

    def primed(self, around: Around) -> Generator:
        """Return the same as it draws on a silo.

        Raises:
            ValueError: If what it needs is not there, or will not do.
        """
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


def primed(spec: GeneratorKind, model: Generator, around: Around) -> Generator:
    """Return a model as it draws on a silo: with the help of what is around it, where it wants that.

    Raises:
        ValueError: If it wants the silo's own rows and this arm sees none, or what there is will not do.
    """
    if spec.sees_own is not None and around.own is None:
        raise ValueError(f"{spec.sees_own} needs the silo's own rows, which this arm does not see")
    return model.primed(around) if isinstance(model, Primed) else model


def doubles(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Return parameters as float64, for kinds whose parameters are all that."""
    return {name: array.astype(np.float64, copy=False) for name, array in arrays.items()}


__all__ = [
    "Around",
    "Course",
    "Generator",
    "Kind",
    "Labeller",
    "Likelihood",
    "Primed",
    "doubles",
    "fit",
    "from_arrays",
    "primed",
]
