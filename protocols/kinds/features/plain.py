# SPDX-License-Identifier: Apache-2.0
"""Maps that keep every column."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.features.base import FeaturesKind


class Identity(FeaturesKind):
    """The columns as they are."""

    kind: Literal["identity"] = "identity"


class Standard(FeaturesKind):
    """Each column to mean 0, variance 1 on public samples; one constant in the public rows counts nothing.

    That holds for nearly constant ones, too: where a column of the generator's samples spreads ten times as
    wide as in the public rows, what varies is the generator's ridge. A column whose variance fewer than 200
    public rows carry (a fifth of them, if they are few) has a spread that nobody can estimate: it is scaled
    as if 200 such rows did, so that a rare category keeps some weight and does not rule every distance.
    """

    kind: Literal["standard"]
    scales_columns: ClassVar = True
