# SPDX-License-Identifier: Apache-2.0
"""How the rows of a simulation are cut into silos."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tailweave.clients.data.class_partitions import Index
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.config.data import SilosSpec
from tailweave.protocols.kinds.implementing import implementation

MOST_DRAWS = 10_000
"""Of a random partition, until every silo has rows enough."""
_MOST_PARTS = 300_000
"""Of all draws together, which takes some seconds: many silos are drawn less often."""


class Cut(NamedTuple):
    """Rows cut into silos.

    Attributes:
        parts: For each silo its row numbers, sorted; no row is in two silos.
        names: Of the silos.
        draws: How often the partition was drawn, the last time with rows enough for every silo.
    """

    parts: tuple[Index, ...]
    names: tuple[str, ...]
    draws: int


def partition(rows: Samples, spec: SilosSpec, *, rng: np.random.Generator) -> Cut:
    """Cut rows into disjoint silos, then keep ``rows-per-silo`` random rows of each if that is set.

    A partition that is drawn at random is drawn again, from the same stream, while a silo has fewer rows than
    ``min-rows`` or ``rows-per-silo``; one that was right at the first draw is not touched by this.

    Args:
        rows: The rows to cut, n of them.
        spec: Number of silos, kind of partition, rows to keep.
        rng: Source of randomness.

    Returns:
        The silos, each with at least ``min-rows`` rows.

    Raises:
        DataError: If the partition does not fit the rows, or a silo has fewer rows than asked, after
            the last draw of a random one.
    """
    kind, asked = spec.partition.kind, spec.partition
    if rows.sort.name not in asked.takes:
        takes = ", ".join(asked.takes)
        raise DataError(f"partition {kind} takes samples of sort {takes}, got {rows.sort}")
    cut = implementation(asked, kind, __package__)
    most = min(MOST_DRAWS, _MOST_PARTS // spec.count) if asked.drawn else 1
    for draw in range(1, most + 1):
        names, parts = _named(cut(rows, asked, spec.count, rng=rng))
        if lacking := _lacking(spec, names, parts):
            continue
        if spec.rows_per_silo is not None:
            parts = [rng.choice(part, spec.rows_per_silo, replace=False) for part in parts]
        return Cut(tuple(np.sort(part) for part in parts), names, draw)
    often = f"{most:,} draws of " if asked.drawn else ""
    raise DataError(f"{often}partition {kind} {'all leave' if often else 'leaves'} {lacking}: {asked.remedy}")


def _named(found: Sequence[Index] | Mapping[str, Index]) -> tuple[tuple[str, ...], list[Index]]:
    if isinstance(found, Mapping):
        return tuple(found), list(found.values())
    return tuple(f"silo-{silo}" for silo in range(len(found))), list(found)


def _lacking(spec: SilosSpec, names: Sequence[str], parts: Sequence[Index]) -> str | None:
    """Say which silo has too few rows, and what asks for more; None if none has."""
    for silo, part in zip(names, parts, strict=True):
        for option, fewest in (("min-rows", spec.min_rows), ("rows-per-silo", spec.rows_per_silo or 0)):
            if len(part) < fewest:
                held = "no rows" if not len(part) else f"{len(part)} row{'s' * (len(part) > 1)}"
                return f"{silo} of {len(parts)} with {held}, silos.{option} is {fewest}"
    return None
