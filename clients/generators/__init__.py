# SPDX-License-Identifier: Apache-2.0
"""Generators: one contract, one file a kind."""

from collections.abc import Mapping
from typing import Protocol, Self

import numpy as np

from clients.generators.gaussian import Gaussian
from clients.generators.gaussian_mixture import Mixture
from protocols.arrays import Floats
from protocols.config.training import GaussianSpec, GeneratorSpec


class Generator(Protocol):
    """A fitted model of rows; refitting gives a new one, so a model never changes under its user."""

    def sample(self, count: int, *, rng: np.random.Generator) -> Floats:
        """Draw ``count`` rows, shape (count, p), data units."""
        ...

    def arrays(self) -> dict[str, Floats]:
        """Return the parameters by name: what is saved and what crosses the wire."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Rebuild a model from ``arrays()``; raises ``ValueError`` when parts are missing or do not fit."""
        ...


def fit(spec: GeneratorSpec, rows: Floats, *, rng: np.random.Generator) -> Generator:
    """Fit a generator of the kind that ``spec`` names.

    Args:
        spec: Kind and options.
        rows: Training rows, shape (n, p), data units.
        rng: Stream of the fit's own randomness.

    Returns:
        The fitted model.

    Raises:
        ValueError: If rows are too few for the model or not finite.
    """
    if isinstance(spec, GaussianSpec):
        return Gaussian.fit(rows, ridge=spec.ridge)
    return Mixture.fit(rows, components=spec.components, ridge=spec.ridge, rng=rng)


def from_arrays(spec: GeneratorSpec, arrays: Mapping[str, Floats]) -> Generator:
    """Rebuild a generator of the kind that ``spec`` names from its parameters."""
    return (Gaussian if isinstance(spec, GaussianSpec) else Mixture).from_arrays(arrays)


__all__ = ["Gaussian", "Generator", "Mixture", "fit", "from_arrays"]
