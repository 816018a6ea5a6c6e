# SPDX-License-Identifier: Apache-2.0
"""Metric rows column by column: a million of them are read in seconds, and a metric of theirs takes 8 MB."""

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tailweave.protocols.arrays import Floats, Ints
from tailweave.simulation.run_folder import each_row

if TYPE_CHECKING:
    import pyarrow

KEYS = ("arm", "seed", "silo", "generation")
_BLOCK_BYTES = 2**24


@dataclass(frozen=True)
class MetricRows:
    """Rows of measurements, in the order in which they were written, each once.

    Attributes:
        arms: Names of arms.
        silos: Names of silos.
        heads: Whole numbers, shape (4, n): a row's place in ``arms``, seed, place in ``silos``, generation.
        metrics: Name of a metric to its values, shape (n,); NaN where a row has none.
    """

    arms: tuple[str, ...]
    silos: tuple[str, ...]
    heads: Ints
    metrics: Mapping[str, Floats]

    def with_sum(self, name: str, parts: Iterable[str]) -> Self:
        """Add a metric: the sum of others, for the rows that have them all."""
        known = list(parts)
        if not all(part in self.metrics for part in known):
            return self
        total = sum(self.metrics[part] for part in known)
        return type(self)(self.arms, self.silos, self.heads, {**self.metrics, name: np.asarray(total)})

    @classmethod
    def read(cls, path: Path) -> "MetricRows":
        """Read a ``.jsonl`` file whole; a torn last line is forgiven, as ``each_row`` does.

        Raises:
            RunFolderError: If a line is not a JSON object of finite numbers; names file and line.
            ValueError: As ``of``.
        """
        import pyarrow
        from pyarrow import json

        schema = pyarrow.schema(
            [(key, pyarrow.string() if key in ("arm", "silo") else pyarrow.int64()) for key in KEYS]
        )
        try:
            table = json.read_json(
                pyarrow.BufferReader(_whole_lines(path)),
                json.ReadOptions(block_size=_BLOCK_BYTES),
                json.ParseOptions(explicit_schema=schema),
            )
        except (pyarrow.ArrowException, ValueError, OSError):  # also of an empty file, which cannot be mapped
            return cls.of(each_row(path))  # says which line it is, and reads what only Arrow cannot
        if any(table[key].null_count for key in KEYS) or not all(
            map(_is_finite, table.itercolumns(), table.schema)
        ):
            return cls.of(each_row(path))
        return cls._of_table(table)

    @classmethod
    def _of_table(cls, table: "pyarrow.Table") -> Self:
        coded = {key: table[key].combine_chunks().dictionary_encode() for key in ("arm", "silo")}
        heads = [coded[key].indices if key in coded else table[key] for key in KEYS]
        metrics = {
            name: np.asarray(table[name].to_numpy(), dtype=np.float64)
            for name in table.column_names
            if name not in KEYS and table[name].null_count < len(table)
        }
        arms, silos = (tuple(map(str, coded[key].dictionary.to_pylist())) for key in ("arm", "silo"))
        numbers = np.array([head.to_numpy() for head in heads], dtype=np.int64)
        return cls(arms, silos, numbers, metrics)._each_once()

    @classmethod
    def of(cls, rows: "MetricRows | Iterable[Mapping[str, Any]]") -> "MetricRows":
        """Take rows given as mappings; a metric that is absent or null in a row was not measured there.

        Rows that stand in columns are returned as they are.

        Raises:
            ValueError: If a row lacks a key, a metric is not a finite number, or two rows of the same arm,
                seed, silo and generation disagree.
        """
        if isinstance(rows, MetricRows):
            return rows
        arms: dict[str, int] = {}
        silos: dict[str, int] = {}
        heads = array("q")
        found: dict[str, tuple[array[int], array[float]]] = {}
        number = 0
        for number, row in zip(count(1), rows, strict=False):
            missing = [key for key in KEYS if key not in row]
            if missing:
                raise ValueError(f"metric row {number} lacks {', '.join(missing)}: got keys {sorted(row)}")
            arm, silo = (
                names.setdefault(str(row[k]), len(names)) for k, names in (("arm", arms), ("silo", silos))
            )
            heads.extend((arm, int(row["seed"]), silo, int(row["generation"])))
            for name, value in row.items():
                if name not in KEYS and value is not None:
                    places, values = found.setdefault(name, (array("q"), array("d")))
                    places.append(number - 1)
                    values.append(_number(number, name, value))
        metrics = {name: np.full(number, np.nan) for name in found}
        for name, (places, values) in found.items():
            metrics[name][np.asarray(places)] = values
        return cls(tuple(arms), tuple(silos), np.array(heads).reshape(-1, 4).T, metrics)._each_once()

    def _each_once(self) -> Self:
        """Leave out what occurs a second time, as after a resumed run.

        Raises:
            ValueError: If two rows of the same arm, seed, silo and generation disagree.
        """
        places = np.zeros(self.heads.shape[1], dtype=np.int64)
        for head in self.heads:  # number the different heads so far, one key more at a time
            _, ranks = np.unique(head, return_inverse=True)
            _, first, places = np.unique(
                places * (ranks.max(initial=0) + 1) + ranks, return_index=True, return_inverse=True
            )
        if len(first) == len(places):
            return self
        same = first[places]
        for column in self.metrics.values():
            other = np.flatnonzero(~((column == column[same]) | (np.isnan(column) & np.isnan(column[same]))))
            if len(other):
                raise ValueError(
                    f"metric row {other[0] + 1} contradicts an earlier row of {self._head(other[0])}"
                )
        kept = np.sort(first)
        columns = {name: column[kept] for name, column in self.metrics.items()}
        return type(self)(self.arms, self.silos, self.heads[:, kept], columns)

    def _head(self, row: int) -> list[object]:
        arm, seed, silo, generation = (int(value) for value in self.heads[:, row])
        return [self.arms[arm], seed, self.silos[silo], generation]


def _number(row: int, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"metric row {row}: {name} must be a finite number, got {value!r}")
    return float(value)


def _is_finite(column: "pyarrow.ChunkedArray", field: "pyarrow.Field") -> bool:
    from pyarrow import compute, types

    if field.name in KEYS or types.is_null(field.type) or types.is_int64(field.type):
        return True
    return types.is_float64(field.type) and compute.all(compute.is_finite(column)).as_py() is not False


def _whole_lines(path: Path) -> "pyarrow.Buffer":
    """Map a file up to its last newline: what follows was cut off by a crash, or is being written."""
    import pyarrow

    with path.open("rb") as file:
        mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
    return pyarrow.py_buffer(memoryview(mapped)[: mapped.rfind(b"\n") + 1])
