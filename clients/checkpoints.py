# SPDX-License-Identifier: Apache-2.0
"""The node's own memory of one arm: where the recursion stands and every metric measured so far."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clients import generators, storage
from clients.recursion import Stage
from protocols.arrays import Floats
from protocols.config.training import GeneratorSpec

_PARTS = ("generation", "pool", "fitted-on", "names", "values")


@dataclass(frozen=True)
class Checkpoint:
    """One arm on one silo.

    Attributes:
        stage: The recursion at its latest generation t.
        names: Metric names, one a column.
        values: Metrics of generations 0..t, shape (t + 1, m).
    """

    stage: Stage
    names: tuple[str, ...]
    values: Floats

    def save(self, path: Path) -> None:
        """Write atomically; a killed process leaves the old checkpoint or this one."""
        arrays = {f"model/{name}": part for name, part in self.stage.model.arrays().items()}
        storage.save(
            path,
            {
                "generation": np.array(self.stage.generation),
                "pool": self.stage.pool,
                "fitted-on": self.stage.fitted_on,
                "names": np.array(self.names, dtype=np.str_),
                "values": self.values,
                **arrays,
            },
        )

    @classmethod
    def load(cls, path: Path, generator: GeneratorSpec) -> "Checkpoint | None":
        """Read the latest checkpoint, or return None if there is none yet.

        Raises:
            ValueError: If the file is there but cannot be read back, or lacks a part.
        """
        if not path.exists():
            return None
        stored = storage.load(path)
        missing = [name for name in _PARTS if name not in stored]
        if missing:
            lacks = ", ".join(missing)
            raise storage.StorageError(
                f"{path}: is no checkpoint, it lacks {lacks}; delete it to start again"
            )
        model = {name.removeprefix("model/"): a for name, a in stored.items() if name.startswith("model/")}
        stage = Stage(
            int(stored["generation"]),
            generators.from_arrays(generator, model),
            stored["pool"],
            stored["fitted-on"].astype(np.int64),
        )
        return cls(stage, tuple(str(name) for name in stored["names"]), stored["values"])
