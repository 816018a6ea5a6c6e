# SPDX-License-Identifier: Apache-2.0
"""The Gaussian theory of arXiv 2606.13732."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.studies.base import Seeds, Share, Sizes, StudyKind

PUBLISHED_SEEDS = (42, 123, 456, 789, 2023, 2024, 2025, 3141, 1618, 9999)
"""Source: ``gaussian_correct.py`` of arXiv 2606.13732's public code."""


class GaussianSpec(StudyKind):
    """Gaussian theory: four settings, the published worlds, and the isotropic one with a closed form."""

    study: Literal["gaussian"]
    title: ClassVar = "Gaussian theory, published against reproduced"
    seeds: Seeds = PUBLISHED_SEEDS
    samples: Sizes = (100, 200, 500)
    isotropic_samples: Annotated[int, Field(ge=2)] = 200
    alpha: Share = 0.05
    dimensions: Annotated[int, Field(ge=2)] = 10
    generations: Annotated[int, Field(ge=1)] = 300
