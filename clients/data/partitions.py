# SPDX-License-Identifier: Apache-2.0
"""How the rows of a simulation are cut into silos."""

import numpy as np

from tailweave.clients.data.class_partitions import Index, by_class, dirichlet, ex_dirichlet
from tailweave.clients.data.rows import DataError, Rows
from tailweave.protocols.config.data import (
    ByClassPartition,
    ByQuantilePartition,
    DirichletPartition,
    ExDirichletPartition,
    IidPartition,
    SilosSpec,
)

_REMEDY = {
    "iid": "use fewer silos or more rows",
    "by-class": "use fewer silos or more rows",
    "dirichlet": "use a larger alpha, fewer silos or another seed",
    "ex-dirichlet": "use a larger alpha, more classes-per-silo, fewer silos or another seed",
    "by-quantile": "use fewer silos or more rows",
}


def partition(rows: Rows, spec: SilosSpec, *, rng: np.random.Generator) -> tuple[Index, ...]:
    """Cut rows into disjoint silos, then keep ``rows-per-silo`` random rows of each if that is set.

    Args:
        rows: The rows to cut, n of them.
        spec: Number of silos, kind of partition, rows to keep.
        rng: Source of randomness.

    Returns:
        For each silo its row numbers, sorted, at least one; no row is in two silos.

    Raises:
        DataError: If the partition does not fit the rows, or a silo has no row or fewer than asked.
    """
    kind = spec.partition.kind
    kept = []
    for silo, index in enumerate(_cut(rows, spec, rng)):
        if len(index) == 0:
            raise DataError(
                f"partition {kind} leaves silo-{silo} of {spec.count} with no rows: {_REMEDY[kind]}"
            )
        if spec.rows_per_silo is not None:
            if len(index) < spec.rows_per_silo:
                raise DataError(
                    f"rows-per-silo must be at most the rows of every silo: silo-{silo} has {len(index)}, "
                    f"got {spec.rows_per_silo}"
                )
            index = rng.choice(index, spec.rows_per_silo, replace=False)
        kept.append(np.sort(index))
    return tuple(kept)


def _cut(rows: Rows, spec: SilosSpec, rng: np.random.Generator) -> list[Index]:
    match spec.partition:
        case IidPartition():
            return np.array_split(rng.permutation(len(rows)), spec.count)
        case ByClassPartition() as kind:
            return by_class(rows, kind, spec.count, rng=rng)
        case DirichletPartition() as kind:
            return dirichlet(rows, kind, spec.count, rng=rng)
        case ExDirichletPartition() as kind:
            return ex_dirichlet(rows, kind, spec.count, rng=rng)
        case ByQuantilePartition(column=column):
            return _by_quantile(rows, column, spec.count)


def _by_quantile(rows: Rows, column: int, silos: int) -> list[Index]:
    """Order by one column, ties by row number, and cut into blocks that differ by at most one row."""
    width = rows.values.shape[1]
    if column >= width:
        raise DataError(f"partition.column must be one of the columns 0 to {width - 1}, got {column}")
    return np.array_split(np.argsort(rows.values[:, column], kind="stable"), silos)
