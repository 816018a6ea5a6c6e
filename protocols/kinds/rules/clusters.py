# SPDX-License-Identifier: Apache-2.0
"""The rule of DataS^3 on clusters of candidates."""

from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.rules.base import RuleKind


class Ds3(RuleKind):
    """Drawn from clusters (200 at first) that are nearest to a reference point."""

    kind: Literal["ds3"]
    clusters: Annotated[int, Field(ge=1, le=100_000)] = 200
