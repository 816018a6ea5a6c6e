# SPDX-License-Identifier: Apache-2.0
"""Columns that are no part of a sample."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.columns.base import ColumnKind


class Group(ColumnKind):
    """Where a row comes from, such as its hospital: kept beside the rows, for a natural partition."""

    kind: Literal["group"]
    feature: ClassVar = False
    beside: ClassVar = True


class Ignore(ColumnKind):
    """Not read: an identity, an index, free text."""

    kind: Literal["ignore"]
    feature: ClassVar = False
