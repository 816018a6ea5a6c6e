# SPDX-License-Identifier: Apache-2.0
"""Partitions that look at labels: who holds which class, and how a class is shared by its holders."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.apportion import apportion
from tailweave.clients.data.classes import classes_of
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.partitions.by_class import (
    ByClassPartition,
    DirichletPartition,
    ExDirichletPartition,
)

Index = NDArray[np.intp]
Share = Callable[[int, int], Ints]
"""From the rows of a class and the number h of its holders to the rows of each holder, shape (h,)."""


@implements(ByClassPartition)
def by_class(rows: Samples, spec: ByClassPartition, silos: int, *, rng: np.random.Generator) -> list[Index]:
    """Give silo i the classes i c, ..., i c + c - 1 modulo K; holders of one class share it evenly.

    Args:
        rows: Labelled rows of K classes in natural order.
        spec: c = ``classes-per-silo``, at most K.
        silos: Number of silos.
        rng: Source of randomness.

    Returns:
        Row numbers of each silo; rows of classes that nobody holds are in none.

    Raises:
        DataError: If there are no labels or too few classes.
    """
    classes = _enough_classes(rows, spec.kind, spec.classes_per_silo)
    held = [
        [(silo * spec.classes_per_silo + step) % len(classes) for step in range(spec.classes_per_silo)]
        for silo in range(silos)
    ]
    return _share_classes(classes, held, lambda count, holders: apportion(count, np.ones(holders)), rng)


@implements(DirichletPartition)
def dirichlet(
    rows: Samples, spec: DirichletPartition, silos: int, *, rng: np.random.Generator
) -> list[Index]:
    """Split each class between all silos in Dirichlet(alpha) proportions.

    Args:
        rows: Labelled rows.
        spec: alpha; small means that a class goes to few silos.
        silos: Number of silos.
        rng: Source of randomness.

    Returns:
        Row numbers of each silo; every row is in one.

    Raises:
        DataError: If there are no labels, or alpha is beyond what float64 can draw.

    Source:
        Hsu, Qi & Brown (2019), arXiv 1909.06335.
    """
    classes = _classes(rows, spec.kind)
    held = [list(range(len(classes)))] * silos
    return _share_classes(classes, held, _dirichlet_share(spec.alpha, rng), rng)


@implements(ExDirichletPartition)
def ex_dirichlet(
    rows: Samples, spec: ExDirichletPartition, silos: int, *, rng: np.random.Generator
) -> list[Index]:
    """Assign C classes to each silo, then split each class among its holders by Dirichlet(alpha).

    The assignment is random and balanced: two classes differ by at most one holder, so every class is held
    as soon as silos x C >= K.

    Args:
        rows: Labelled rows of K classes.
        spec: C = ``classes-per-silo``, at most K, and alpha.
        silos: Number of silos.
        rng: Source of randomness.

    Returns:
        Row numbers of each silo; rows of classes that nobody holds are in none.

    Raises:
        DataError: If there are no labels or too few classes, or alpha is beyond what float64 can draw.

    Source:
        ExDir(C, alpha) of arXiv 2606.13732; balance is ours.
    """
    classes = _enough_classes(rows, spec.kind, spec.classes_per_silo)
    holders = np.zeros(len(classes), dtype=np.int64)
    held = []
    for _ in range(silos):
        # The least-held classes first, ties at random.
        mine = np.lexsort((rng.random(len(classes)), holders))[: spec.classes_per_silo]
        holders[mine] += 1
        held.append(mine.tolist())
    return _share_classes(classes, held, _dirichlet_share(spec.alpha, rng), rng)


def _enough_classes(rows: Samples, kind: str, per_silo: int) -> dict[str, Index]:
    classes = _classes(rows, kind)
    if per_silo > len(classes):
        raise DataError(
            f"classes-per-silo must be at most the number of classes, {len(classes)} "
            f"({', '.join(list(classes)[:20])}), got {per_silo}"
        )
    return classes


@lru_cache(maxsize=1)
def _classes(rows: Samples, kind: str) -> dict[str, Index]:
    """Return the row numbers of each class; once for all draws of a partition, of which there may be many."""
    return {name: np.flatnonzero(rows.labels == name) for name in classes_of(rows, f"partition {kind}")}


def _dirichlet_share(alpha: float, rng: np.random.Generator) -> Share:
    def share(count: int, holders: int) -> Ints:
        weights = rng.dirichlet(np.full(holders, alpha))
        if not np.isfinite(weights).all() or weights.sum() <= 0.0:
            raise DataError(f"alpha must be a size that a Dirichlet draw can represent, got {alpha}")
        return apportion(count, weights)

    return share


def _share_classes(
    classes: Mapping[str, Index], held: list[list[int]], share: Share, rng: np.random.Generator
) -> list[Index]:
    """Deal the shuffled rows of each class to the silos that hold it."""
    parts: list[list[Index]] = [[] for _ in held]
    for number, of_class in enumerate(classes.values()):
        holders = [silo for silo, mine in enumerate(held) if number in mine]
        if not holders:
            continue
        members = rng.permutation(of_class)
        ends = np.cumsum(share(len(members), len(holders)))[:-1]
        for silo, part in zip(holders, np.split(members, ends), strict=True):
            parts[silo].append(part)
    return [np.concatenate(mine) for mine in parts]
