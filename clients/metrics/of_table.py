# SPDX-License-Identifier: Apache-2.0
"""All metrics of one generation of a table with declared columns, beside true rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from tailweave.clients.columns import Cells, read_column
from tailweave.clients.metrics.table.agreement import associations, column_distances
from tailweave.clients.metrics.table.cells import Rows, cuts_of
from tailweave.clients.metrics.table.rare import LOST, Rare, rare_levels, rare_pairs
from tailweave.clients.samples import Samples
from tailweave.clients.sorts_table import Table
from tailweave.protocols.arrays import Floats

_IN = 10_000
"""Rows among which those that break the declaration are counted."""


@dataclass(frozen=True, eq=False)
class TableTruth:
    """True rows by their columns, and what is rare among them.

    Attributes:
        sort: What a row is.
        rows: Those that generations are compared with.
        associations: Of each two columns there, shape (k,).
        levels: Rare levels, of all true rows: so they are the same in every seed.
        few: How many levels have too few rows to be measured.
        pairs: Rare pairs of levels, of all true rows.
    """

    sort: Table
    rows: Rows
    associations: Floats
    levels: Rare
    few: int
    pairs: Rare

    @classmethod
    def of(cls, truth: Samples, beside: Samples | None = None) -> Self | None:
        """Prepare the truth; None where it is no table with declared columns.

        Args:
            truth: Rows that generations are compared with.
            beside: All other true rows, where these are known.
        """
        sort = truth.sort
        if not isinstance(sort, Table):
            return None
        whole = truth.values if beside is None else np.concatenate([truth.values, beside.values])
        cuts = cuts_of(sort, whole)
        rows, every = (Rows(sort.parted(part), cuts) for part in (truth.values, whole))
        levels, few = rare_levels(every)
        return cls(sort, rows, associations(rows), levels, few, rare_pairs(every))


def of_table(generated: Samples, truth: TableTruth, training: Samples | None) -> dict[str, float]:
    """Measure generated rows by the columns that are declared.

    Args:
        generated: Fresh rows, m of them.
        truth: True rows.
        training: What their model was trained on, where that is known.

    Returns:
        Metrics by name; those of levels where there are rare ones, of pairs likewise, and ``novel_share``
        where the training rows are known.
    """
    rows = Rows(truth.sort.parted(generated.values), truth.rows.cuts)
    distances = column_distances(rows, truth.rows)
    found = dict(_of_rare("level", truth.levels, rows)) | dict(_of_rare("pair", truth.pairs, rows))
    found["levels_unmeasured"] = float(truth.few)
    found["column_distance"] = float(distances.mean())
    found["worst_column_distance"] = float(distances.max())
    if len(truth.associations):
        found["association_error"] = float(np.abs(associations(rows) - truth.associations).mean())
    found["schema_violations"] = schema_violations(generated, truth.sort)
    if training is not None:
        found["novel_share"] = novel_share(generated, training)
    return found


def _of_rare(what: str, rare: Rare, rows: Rows) -> Iterator[tuple[str, float]]:
    if not rare.names:
        return
    shares = rare.found(rows)
    kept = shares / rare.shares
    yield f"rarest_{what}_ratio", float(kept.min())
    yield f"{what}s_lost", float((kept < LOST).sum())
    for name, share, ratio in zip(rare.names, shares.tolist(), kept.tolist(), strict=True):
        yield f"{what}_share/{name}", share
        yield f"{what}_kept/{name}", ratio


def schema_violations(rows: Samples, sort: Table) -> float:
    """Return how many rows in 10,000 are not as the columns declare, when they are written and read again."""
    table, bad = sort.decoded(rows), np.zeros(len(rows), dtype=np.bool_)
    for name, spec in sort.declared:
        bad |= read_column(spec, Cells(table[name]), ()).bad
    return float(_IN * bad.mean())


def novel_share(generated: Samples, training: Samples) -> float:
    """Return the share of generated rows that equal no training row, in every column."""
    seen = {row.tobytes() for row in training.values + 0.0}  # + 0 makes -0 a 0
    return float(np.mean([row.tobytes() not in seen for row in generated.values + 0.0]))
