# SPDX-License-Identifier: Apache-2.0
"""Partitions that do not need classes: at random, and by one column."""

import numpy as np

from tailweave.clients.data.class_partitions import Index
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.partitions.by_row import ByQuantilePartition, IidPartition


@implements(IidPartition)
def iid(rows: Samples, spec: IidPartition, silos: int, *, rng: np.random.Generator) -> list[Index]:
    """Deal the rows at random."""
    return np.array_split(rng.permutation(len(rows)), silos)


@implements(ByQuantilePartition)
def by_quantile(
    rows: Samples, spec: ByQuantilePartition, silos: int, *, rng: np.random.Generator
) -> list[Index]:
    """Order by one column, ties by row number, and cut into blocks that differ by at most one row.

    Raises:
        DataError: If there is no such column.
    """
    column, width = spec.column, rows.values.shape[1]
    if column >= width:
        raise DataError(f"partition.column must be one of the columns 0 to {width - 1}, got {column}")
    return np.array_split(np.argsort(rows.values[:, column], kind="stable"), silos)
