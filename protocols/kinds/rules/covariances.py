# SPDX-License-Identifier: Apache-2.0
"""Rules on covariances, in the space of the ``axes`` main axes; 32 are published."""

from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.rules.base import RuleKind

Axes = Annotated[int, Field(ge=1, le=4096)]


class CovarianceMatching(RuleKind):
    """Grow the subset whose covariance is nearest the reference's."""

    kind: Literal["covariance-matching"]
    axes: Axes = 32


class MatchingAlpha(RuleKind):
    """Grow the subset of least predicted regression error against the reference."""

    kind: Literal["matching-alpha"]
    axes: Axes = 32
