# SPDX-License-Identifier: Apache-2.0
"""The node's own memory of one arm: where the recursion stands and every metric measured so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients import generators, measured, storage
from tailweave.clients.measured import Measured
from tailweave.clients.neural.weights import load_weights, save_weights
from tailweave.clients.recursion import Stage
from tailweave.clients.samples import Numbers, Samples, Sort
from tailweave.protocols.arrays import part_of
from tailweave.protocols.config.training import GeneratorSpec

_PARTS = ("generation", *measured.PARTS)
_ROWS = ("fitted-on", "pool/values", "pool/born")
"""Parts that hold rows of the silo, or where they stand; gone once the arm has come to its end."""


@dataclass(frozen=True)
class Checkpoint:
    """One arm on one silo.

    Attributes:
        stage: The recursion at its latest generation t.
        measured: Metrics of generations 0..t.
    """

    stage: Stage
    measured: Measured

    def save(
        self,
        path: Path,
        *,
        last: int | None = None,
        large: bool = False,
        left: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    ) -> None:
        """Write atomically, readable by its owner only; a killed process leaves the old one or this one.

        A network's weights go to a file of their own generation first; the checkpoint makes it the valid one.

        Args:
            path: The file.
            last: The recursion's last generation. Once that is reached nothing goes on from the rows, so the
                checkpoint is written without them: metrics, for a repeated question, and the model.
            large: Whether the model is many big arrays, as its spec says.
            left: What stands beside the model of an arm that is over; see ``final_models``.
        """
        model, weights = self.stage.model, weights_file(path, self.stage.generation)
        if large:
            save_weights(weights, model.arrays(), {})
            arrays = {}
        else:
            arrays = {f"model/{name}": part for name, part in model.arrays().items()}
        over = last is not None and self.stage.generation >= last
        base = self.stage.generation == 0  # later generations see nothing of what it was fitted on
        pool = {} if base or self.stage.pool is None else self.stage.pool.arrays()
        rows = {"fitted-on": self.stage.fitted_on[: 0 if base else None]} | {
            f"pool/{name}": part for name, part in pool.items()
        }
        storage.save(
            path,
            {
                "generation": np.array(self.stage.generation),
                **(left if over else rows),
                **self.measured.arrays(),
                **arrays,
            },
        )
        for old in path.parent.glob(weights_file(path, "*").name):
            if old != weights:
                old.unlink()
        for torn in path.parent.glob(".*.npz.*") if over else ():  # killed processes' parts hold rows
            torn.unlink()

    @classmethod
    def load(
        cls, path: Path, generator: GeneratorSpec, stop: int = 0, sort: Sort | None = None
    ) -> "Checkpoint | None":
        """Read the latest checkpoint, or return None if there is none yet.

        Args:
            path: The file.
            generator: Kind of the model.
            stop: Generation that the caller wants to go on to.
            sort: Of the samples in it; None for rows of unnamed columns.

        Returns:
            The checkpoint; of a finished arm without its rows.

        Raises:
            ValueError: If the file is there but cannot be read back, or lacks a part that is needed.
        """
        if not path.exists():
            return None
        stored = storage.load(path)
        generation = _checked(path, stored, stop)
        model: dict[str, NDArray[Any]]
        if generator.large:
            model, _ = load_weights(weights_file(path, generation))
        else:
            model = part_of(stored, "model")
        stage = Stage(
            generation,
            generators.from_arrays(generator, model, sort),
            _pool(stored, sort),
            stored.get("fitted-on", np.zeros(0)).astype(np.int64),
        )
        return cls(stage, Measured.from_arrays(stored, generation + 1))


def _pool(stored: Mapping[str, NDArray[Any]], sort: Sort | None) -> Samples | None:
    """Return the pool, if the checkpoint has one."""
    parts = {name.removeprefix("pool/"): part for name, part in stored.items() if name.startswith("pool/")}
    if not parts:
        return None
    return Samples.from_arrays(parts, sort or Numbers.unnamed(parts["values"].shape[1]))


def finished(path: Path) -> bool:
    """Tell whether an arm has come to its end, by its checkpoint.

    Raises:
        StorageError: If the file cannot be read back.
    """
    return not set(_ROWS) & set(storage.load(path))


def _checked(path: Path, stored: Mapping[str, NDArray[Any]], stop: int) -> int:
    """Return the generation of a checkpoint that has all it should have.

    Raises:
        StorageError: If a part is missing, or the arm was finished and should go on.
    """
    rows = [name for name in _ROWS if name in stored]
    known = "generation" in stored and (
        stored["generation"] > 0 or len(rows) > 1
    )  # a base's may be elsewhere
    missing = [name for name in (*_PARTS, *(_ROWS if rows and known else ())) if name not in stored]
    if missing:
        lacks = ", ".join(missing)
        raise storage.StorageError(f"{path}: is no checkpoint, it lacks {lacks}; delete it to start again")
    generation = int(stored["generation"])
    if not rows and stop > generation:
        raise storage.StorageError(
            f"{path}: this arm was finished at generation {generation}, its rows are gone and it cannot go "
            f"on to {stop}; delete it to start again"
        )
    return generation


def weights_file(checkpoint: Path, generation: int | str) -> Path:
    """Return where the weights of a generation are, beside the checkpoint."""
    return checkpoint.with_name(f"model-{generation}.safetensors")
