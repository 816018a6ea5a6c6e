# SPDX-License-Identifier: Apache-2.0
"""Partitions that look at the classes of rows."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.partitions.base import PartitionKind


class ByClassPartition(PartitionKind):
    """Each silo holds whole classes; a class that several silos hold is shared evenly between them."""

    kind: Literal["by-class"]
    implemented_in: ClassVar = "class_partitions"
    classes_per_silo: Annotated[int, Field(ge=1)]


class DirichletPartition(PartitionKind):
    """Each class is split between all silos by a Dirichlet draw (Hsu et al. 2019), until all have rows."""

    kind: Literal["dirichlet"]
    implemented_in: ClassVar = "class_partitions"
    drawn: ClassVar = True
    remedy: ClassVar = "use a larger alpha, fewer silos or smaller silos.min-rows"
    alpha: Annotated[float, Field(gt=0.0)]


class ExDirichletPartition(PartitionKind):
    """Each silo is assigned classes; each class is Dirichlet-split among its holders (arXiv 2606.13732)."""

    kind: Literal["ex-dirichlet"]
    implemented_in: ClassVar = "class_partitions"
    drawn: ClassVar = True
    remedy: ClassVar = "use a larger alpha, more classes-per-silo, fewer silos or smaller silos.min-rows"
    classes_per_silo: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0.0)]
