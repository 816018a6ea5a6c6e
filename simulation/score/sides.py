# SPDX-License-Identifier: Apache-2.0
"""Both sides of a score as samples of one sort."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.samples import DataError, Labels, Numbers, Samples
from tailweave.protocols.config.columns import features_of
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.kinds.columns.base import ColumnKind
from tailweave.simulation.score.columns import (
    Declared,
    declared,
    rows_that_lack,
    same_names,
    told_from_cells,
)
from tailweave.simulation.score.opened import opened

if TYPE_CHECKING:
    import pyarrow

LABEL = "label"
"""What labels are called that have no name."""


@dataclass(frozen=True)
class Sides:
    """Real and synthetic samples of one sort, both with labels or both without.

    Attributes:
        real: n of them.
        synthetic: m of them.
        label: What the labels are called.
        notes: What was left out.
    """

    real: Samples
    synthetic: Samples
    label: str = LABEL
    notes: tuple[str, ...] = ()


def sides(real: object, synthetic: object, columns: Any = None, label: str | None = None) -> Sides:  # noqa: ANN401 - as declared
    """Read both sides and bring them to one sort.

    Args:
        real: See ``opened``.
        synthetic: The same.
        columns: See ``declared``; None to tell what columns are from their cells.
        label: Name of the label column, array or key; None for the one that is declared, if any.

    Raises:
        ValueError: If a side cannot be read, has no rows, or is not like the other.
    """
    known = declared(columns)
    label = label or known.label
    one, other = (
        opened(given, called, known, label) for given, called in ((real, "real"), (synthetic, "synthetic"))
    )
    for called, rows in (("real", one), ("synthetic", other)):
        if not len(rows):
            raise DataError(f"the {called} side has no rows")
    if isinstance(one, Samples) and isinstance(other, Samples):
        if known.columns:
            raise ConfigError(f"columns are declared for tables, and both sides are {one.sort}")
        return _of_samples(one, other, label)
    if isinstance(one, Samples) or isinstance(other, Samples):
        tables = "the synthetic" if isinstance(one, Samples) else "the real"
        raise ConfigError(f"{tables} rows alone are a table with columns: give both in one form")
    return _of_tables(one, other, known, label)


def _of_samples(real: Samples, synthetic: Samples, label: str | None) -> Sides:
    """Check that two sides are alike; columns of numbers go back to their own units, which may differ."""
    if real.sort.name == "text" or synthetic.sort.name == "text":
        raise ConfigError("documents as samples are not compared: give their files, or their features")
    if (real.sort.name, real.columns, real.image) != (
        synthetic.sort.name,
        synthetic.columns,
        synthetic.image,
    ):
        raise ConfigError(
            f"both sides must be alike, got {real.sort} beside {synthetic.sort}, or their columns differ in "
            "name or order"
        )
    if (real.labels is None) != (synthetic.labels is None):
        raise ConfigError(
            f"labels: the {'synthetic' if real.labels is None else 'real'} rows alone have some"
        )
    if label is not None and real.labels is None:
        raise ConfigError(f"label: {label!r} names nothing: neither side has labels")
    if real.sort.plain:
        real, synthetic = (
            Samples.of(one.sort.stacked(one.values), one.labels, Numbers(one.columns))
            for one in (real, synthetic)
        )
    return Sides(real, synthetic, label or LABEL)


def _of_tables(
    real: "pyarrow.Table", synthetic: "pyarrow.Table", known: Declared, label: str | None
) -> Sides:
    from tailweave.clients.sorts_table import Table

    passed_over = {name for name, kind in (known.columns or {}).items() if not kind.feature and name != label}
    real, synthetic = (
        table.select([name for name in table.column_names if name not in passed_over])
        for table in (real, synthetic)
    )
    same_names(real, synthetic, label)
    notes: list[str] = []
    if known.columns is None:
        kinds, notes = told_from_cells(real, synthetic, label)
    else:
        kinds = known.columns
        _all_declared(real.column_names, kinds, label)
    features = features_of(kinds, label)
    if not features and label is None:
        raise ConfigError("there is no column to compare")
    sort = Table.of(features, label)
    encoded = [
        Samples.of(_encoded(sort, table, known, called), _labels(table, label), sort)
        for called, table in (("real", real), ("synthetic", synthetic))
    ]
    return Sides(encoded[0], encoded[1], label or LABEL, tuple(notes))


def _all_declared(names: list[str], kinds: Mapping[str, ColumnKind], label: str | None) -> None:
    more = [name for name in names if name not in kinds and name != label]
    lacking = [name for name in features_of(kinds, label) if name not in names]
    said = [f"not declared: {', '.join(more)} (declare each, or say NAME: ignore)"] if more else []
    said += [f"declared but not there: {', '.join(lacking)}"] if lacking else []
    if said:
        raise ConfigError(f"columns {'; '.join(said)}")


def _encoded(sort: Any, table: "pyarrow.Table", known: Declared, called: str) -> Any:  # noqa: ANN401 - see ``Table``
    from tailweave.clients.columns import Cells, allowed_in, read_column

    read = [
        read_column(kind, Cells(table.column(name), known.decimal), known.lacking)
        for name, kind in sort.declared
    ]
    bad = [
        f"column {name!r}: {rows_that_lack(one.bad)}, allowed: {allowed_in(kind)}"
        for (name, kind), one in zip(sort.declared, read, strict=True)
        if one.bad.any()
    ]
    if bad:
        raise DataError(f"the {called} rows are not what is declared: {'; '.join(bad[:20])}")
    return sort.encoded(read)


def _labels(table: "pyarrow.Table", label: str | None) -> Labels | None:
    from tailweave.clients.columns import Cells

    if label is None:
        return None
    return np.array(Cells(table.column(label)).texts().fill_null("").to_pylist(), dtype=np.str_)
