# SPDX-License-Identifier: Apache-2.0
"""Partitions that do not need classes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.partitions.base import PartitionKind
from tailweave.protocols.sorts import ROWS


class IidPartition(PartitionKind):
    """Rows are dealt at random."""

    kind: Literal["iid"]
    implemented_in: ClassVar = "row_partitions"


class ByQuantilePartition(PartitionKind):
    """Rows are ordered by one feature column and cut into equal blocks."""

    kind: Literal["by-quantile"]
    implemented_in: ClassVar = "row_partitions"
    takes: ClassVar = ROWS
    column: Annotated[int, Field(ge=0)] = 0
