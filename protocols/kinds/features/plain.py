# SPDX-License-Identifier: Apache-2.0
"""Maps that keep every column."""

from typing import Literal

from tailweave.protocols.kinds.features.base import FeaturesKind


class Identity(FeaturesKind):
    """The columns as they are."""

    kind: Literal["identity"] = "identity"


class Standard(FeaturesKind):
    """Each column to mean 0, variance 1 on public samples."""

    kind: Literal["standard"]
