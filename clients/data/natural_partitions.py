# SPDX-License-Identifier: Apache-2.0
"""Partitions that rows bring along: by the values of a column, or by the files that they come from."""

import re

import numpy as np

from tailweave.clients.data.class_partitions import Index
from tailweave.clients.data.classes import classes_of
from tailweave.clients.samples import DataError, Samples
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.partitions.natural import ByColumnPartition, ByFilePartition

_SILO = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What a silo may be called: its folders are called so, too."""
_NAMED = 20


@implements(ByColumnPartition)
def by_column(
    rows: Samples, spec: ByColumnPartition, silos: int, *, rng: np.random.Generator
) -> dict[str, Index]:
    """Give each silo the rows with one value of a column; nothing is drawn.

    Args:
        rows: Rows of a table with declared columns.
        spec: Its column, a group or a category.
        silos: How many values there must be.
        rng: Not drawn from.

    Returns:
        Row numbers by silo, in natural order of the values. Silos are called as these are, in small letters
        and with ``-`` for blanks, if all are names that way; else ``silo-0``, ``silo-1`` and so on.

    Raises:
        DataError: If rows have no value, or there are not as many values as silos.
    """
    found = _levels(rows, spec.column) or _groups(rows, f"partition.column {spec.column!r}")
    return _called(found, silos, f"partition by-column: {spec.column} has")


@implements(ByFilePartition)
def by_file(
    rows: Samples, spec: ByFilePartition, silos: int, *, rng: np.random.Generator
) -> dict[str, Index]:
    """Give each silo the rows of its own file; nothing is drawn.

    Raises:
        DataError: If rows do not know their file, or there are not as many files as silos.
    """
    return _called(_groups(rows, "data.path"), silos, "partition by-file: data.path has")


def _levels(rows: Samples, column: str) -> dict[str, Index]:
    """Return the rows of each level of a category; none where there is no such category."""
    sort = rows.sort
    if not isinstance(sort, Table):
        return {}
    levels = [level for level in sort.levels if level.column == column]
    found = {level.level: np.flatnonzero(rows.values[:, level.place] > UNIT / 2) for level in levels}
    if len(found.get("missing", ())) and "missing" not in dict(sort.declared)[column].level_names:
        raise DataError(f"partition.column {column!r} must have a value in every row, got missing cells")
    return {name: index for name, index in found.items() if len(index)}


def _groups(rows: Samples, key: str) -> dict[str, Index]:
    if rows.groups is None:
        raise DataError(f"{key} must tell where each row comes from, got rows that do not say")
    if (rows.groups == "").any():
        raise DataError(f"{key} must have a value in every row, got missing cells")
    names = classes_of(Samples.of(np.zeros((len(rows), 1)), rows.groups), key)
    return {name: np.flatnonzero(rows.groups == name) for name in names}


def _called(found: dict[str, Index], silos: int, owner: str) -> dict[str, Index]:
    if len(found) != silos:
        more = ", ..." if len(found) > _NAMED else ""
        raise DataError(
            f"{owner} {len(found)} values in the training rows ({', '.join(list(found)[:_NAMED])}{more}): "
            f"silos.count must be {len(found)}, got {silos}"
        )
    names = [re.sub(r"\s+", "-", name.strip().lower()) for name in found]
    if len(set(names)) < len(names) or not all(_SILO.fullmatch(name) for name in names):
        names = [f"silo-{place}" for place in range(len(names))]
    return dict(zip(names, found.values(), strict=True))
