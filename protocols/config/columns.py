# SPDX-License-Identifier: Apache-2.0
"""What the columns of a table are: one spec a column, by its name."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from tailweave.protocols.kinds.columns.base import Cell, ColumnKind, as_text
from tailweave.protocols.kinds.family import Family

COLUMNS = Family("column", ColumnKind, "tailweave.protocols.kinds.columns")
if TYPE_CHECKING:
    ColumnSpec = ColumnKind
else:
    ColumnSpec = COLUMNS.field()


def _names_are_text(raw: object) -> object:
    return {as_text(name): spec for name, spec in raw.items()} if isinstance(raw, dict) else raw


Columns = Annotated[dict[Cell, ColumnSpec], BeforeValidator(_names_are_text)]


def features_of(columns: Mapping[str, ColumnKind], label: str | None) -> dict[str, ColumnKind]:
    """Return the columns that samples consist of, in the order of the block."""
    return {name: spec for name, spec in columns.items() if spec.feature and name != label}


def digest_of(features: Mapping[str, ColumnKind]) -> str:
    """Return a digest of what silos of a federation must agree on: columns in order, and their encoding."""
    agreed = [[name, spec.agreed()] for name, spec in features.items()]
    return hashlib.sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()


def complaints(
    columns: Mapping[str, ColumnKind], label: str | None, missing: tuple[str, ...]
) -> Iterator[str]:
    """Yield what is wrong with a block as a whole.

    Args:
        columns: By name.
        label: Name of the label column, if any.
        missing: Cells that mean missing in every column where they may.
    """
    features = features_of(columns, label)
    if not features:
        yield "columns must declare at least one column that is part of a sample"
    groups = [name for name, spec in columns.items() if spec.beside]
    if len(groups) > 1:
        yield f"at most one column may be a group, got {', '.join(groups)}"
    if "" in features:
        yield "a column without a name can only be ignored: give it a name in the file"
    encoded = [part for name, spec in features.items() for part in spec.encoded(name)]
    twice = [name for name, times in Counter(encoded).items() if times > 1]
    if twice:
        yield f"two columns would be encoded under one name: {', '.join(twice[:10])}; rename one"
    for name, spec in features.items():
        clash = sorted(set(_levels(spec)) & set(missing)) if spec.may_lack else []
        if clash:
            yield f"columns.{name}: {clash[0]!r} is one of its values and in data.missing: it cannot be both"
    own = columns.get(label) if label is not None else None
    if own is not None and (not own.level_names or own.may_lack):
        yield f"columns.{label}: the label must be a category that is neither ordered nor optional"


def _levels(spec: ColumnKind) -> tuple[str, ...]:
    return getattr(spec, "all_levels", spec.level_names)
