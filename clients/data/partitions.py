# SPDX-License-Identifier: Apache-2.0
"""How the rows of a simulation are cut into silos."""

import numpy as np

from tailweave.clients.data.class_partitions import Index
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.config.data import SilosSpec
from tailweave.protocols.kinds.implementing import implementation


def partition(rows: Samples, spec: SilosSpec, *, rng: np.random.Generator) -> tuple[Index, ...]:
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
    if rows.sort.name not in spec.partition.takes:
        raise DataError(
            f"partition {kind} takes samples of sort {', '.join(spec.partition.takes)}, got {rows.sort}"
        )
    cut = implementation(spec.partition, kind, __package__)
    kept = []
    for silo, index in enumerate(cut(rows, spec.partition, spec.count, rng=rng)):
        if len(index) == 0:
            raise DataError(
                f"partition {kind} leaves silo-{silo} of {spec.count} with no rows: {spec.partition.remedy}"
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
