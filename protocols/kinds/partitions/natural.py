# SPDX-License-Identifier: Apache-2.0
"""Silos as they come: the values of a column, or files of their own."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.partitions.base import PartitionKind
from tailweave.protocols.kinds.sources.base import AnySource
from tailweave.protocols.sorts import SortName


class ByColumnPartition(PartitionKind):
    """Each silo holds the rows with one value of a column (a group or a category of data.columns)."""

    kind: Literal["by-column"]
    implemented_in: ClassVar = "natural_partitions"
    takes: ClassVar[tuple[SortName, ...]] = ("table",)
    remedy: ClassVar = "join rare values in the file, or choose another column"
    column: Annotated[str, Field(min_length=1)]

    def misfit(self, data: AnySource) -> str | None:
        """Only a column whose values are known as such can be cut by."""
        columns = getattr(data, "columns", None) or {}
        found = columns.get(self.column)
        if found is None or not (found.beside or found.level_names):
            fit = [name for name, kind in columns.items() if kind.beside or kind.level_names]
            return (
                f"column must be one of kind group or category in data.columns "
                f"({', '.join(fit) or 'there is none'}), got {self.column}"
            )
        if found.beside and isinstance(getattr(data, "path", None), Mapping):
            return "silos have files of their own (data.path is a mapping), which is kind: by-file"
        return None


class ByFilePartition(PartitionKind):
    """Each silo holds the rows of a file of its own; data.path is then a mapping from silo to file."""

    kind: Literal["by-file"]
    implemented_in: ClassVar = "natural_partitions"
    remedy: ClassVar = "leave out the file, or join it with another one"

    def misfit(self, data: AnySource) -> str | None:
        """One file has no silos."""
        if isinstance(getattr(data, "path", None), Mapping):
            return None
        return "data.path must be a mapping from silo to file, got one file"


def natural_count(partition: object, data: object) -> int | None:
    """Return how many silos a raw partition of raw data gives, where the configuration says so; else None."""
    if not isinstance(data, Mapping):
        return None
    kind = partition.get("kind") if isinstance(partition, Mapping) else partition
    path, columns = data.get("path"), data.get("columns")
    if kind == "by-file" and isinstance(path, Mapping):
        return len(path)
    if kind != "by-column" or not isinstance(partition, Mapping) or not isinstance(columns, Mapping):
        return None
    named = partition.get("column")
    column = columns.get(named) if isinstance(named, str) else None
    values = column.get("values", column.get("levels")) if isinstance(column, Mapping) else None
    return len(values) if isinstance(values, list) else values if isinstance(values, int) else None
