# SPDX-License-Identifier: Apache-2.0
"""Feature map, generator and the recursion that refits it on its own output."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from protocols.config.base import Spec
from protocols.config.starts import StartedSpec

Positive = Annotated[int, Field(ge=1)]


class FeaturesSpec(Spec):
    """The public map into the space in which candidates are compared."""

    kind: Literal["identity", "standard", "pca", "random-projection"] = "identity"
    dimensions: Positive | None = None
    fit_on: Literal["generator"] = "generator"

    @model_validator(mode="after")
    def _dimensions_where_needed(self) -> Self:
        reduces = self.kind in ("pca", "random-projection")
        if reduces and self.dimensions is None:
            raise ValueError(f"features of kind {self.kind} need dimensions")
        if not reduces and self.dimensions is not None:
            raise ValueError(f"features of kind {self.kind} keep every column: remove dimensions")
        return self


class GaussianSpec(StartedSpec):
    """One Gaussian, fitted by maximum likelihood; ``ridge`` is added to the covariance diagonal."""

    kind: Literal["gaussian"]


class GaussianMixtureSpec(StartedSpec):
    """A mixture of full-covariance Gaussians, fitted by EM; ``ridge`` is added to each diagonal."""

    kind: Literal["gaussian-mixture"]
    components: Positive = 20


GeneratorSpec = Annotated[GaussianSpec | GaussianMixtureSpec, Field(discriminator="kind")]


class RecursionSpec(Spec):
    """How many generations, how many samples each, and what a refit sees."""

    generations: Positive
    samples: Positive
    candidates_per_sample: Annotated[float, Field(gt=0.0)] = 4.0
    paradigm: Literal["replace", "accumulate", "accumulate-subsample"] = "replace"
    include_real: bool = False

    @property
    def candidates(self) -> int:
        """N, the number of candidates drawn in each generation."""
        return round(self.samples * self.candidates_per_sample)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.candidates < self.samples:
            raise ValueError(
                f"cannot select n = {self.samples} samples from N = {self.candidates} candidates: "
                f"candidates-per-sample must be at least 1, got {self.candidates_per_sample}"
            )
        return self
