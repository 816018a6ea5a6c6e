# SPDX-License-Identifier: Apache-2.0
"""Generators: one contract, one file (or folder) a kind."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.generators.diffusion import Diffusion
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.diffusion import DiffusionSpec
from tailweave.protocols.config.training import GaussianSpec, GeneratorSpec


class Generator(Protocol):
    """A fitted model of rows; refitting gives a new one, so a model never changes under its user."""

    def sample(self, count: int, *, rng: np.random.Generator) -> Floats:
        """Draw ``count`` rows, shape (count, p), data units."""
        ...

    def arrays(self) -> dict[str, Floats]:
        """Return the parameters by name: what crosses the wire, and what ``from_arrays`` reads back."""
        ...


def fit(
    spec: GeneratorSpec,
    rows: Floats,
    *,
    rng: np.random.Generator,
    previous: Generator | None = None,
    course: Course = NOTHING_BESIDE,
) -> Generator:
    """Fit a generator of the kind that ``spec`` names.

    Args:
        spec: Kind and options.
        rows: Training rows, shape (n, p), data units.
        rng: Stream of the fit's own randomness.
        previous: The model of the generation before; a kind that starts warm goes on from it.
        course: For kinds that train for long: whom to tell, and where to keep an unfinished state.

    Returns:
        The fitted model.

    Raises:
        ValueError: If rows are too few for the model or not finite, or the model is of another kind than
            the previous one.
    """
    if isinstance(spec, GaussianSpec):
        return Gaussian.fit(rows, ridge=spec.ridge)
    if not isinstance(spec, DiffusionSpec):
        return Mixture.fit(rows, components=spec.components, ridge=spec.ridge, rng=rng)
    if previous is not None and not isinstance(previous, Diffusion):
        raise ValueError(f"a diffusion model cannot go on from a {type(previous).__name__}")
    return Diffusion.fit(spec, rows, rng=rng, previous=previous, course=course)


def from_arrays(spec: GeneratorSpec, arrays: Mapping[str, NDArray[np.generic]]) -> Generator:
    """Rebuild a generator of the kind that ``spec`` names from its parameters.

    Raises:
        ValueError: If parts are missing or do not fit.
    """
    if isinstance(spec, DiffusionSpec):
        return Diffusion.from_arrays(spec, arrays)
    whole = {name: array.astype(np.float64, copy=False) for name, array in arrays.items()}
    return (Gaussian if isinstance(spec, GaussianSpec) else Mixture).from_arrays(whole)


__all__ = ["Course", "Diffusion", "Gaussian", "Generator", "Mixture", "fit", "from_arrays"]
