# SPDX-License-Identifier: Apache-2.0
"""The node's own memory of one arm: where the recursion stands and every metric measured so far."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients import generators, measured, storage
from clients.generators.diffusion import Diffusion
from clients.generators.diffusion.weights import load_weights, save_weights
from clients.measured import Measured
from clients.recursion import Stage
from protocols.config.diffusion import DiffusionSpec
from protocols.config.training import GeneratorSpec

_PARTS = ("generation", "pool", "fitted-on", "born", *measured.PARTS)


@dataclass(frozen=True)
class Checkpoint:
    """One arm on one silo.

    Attributes:
        stage: The recursion at its latest generation t.
        measured: Metrics of generations 0..t.
    """

    stage: Stage
    measured: Measured

    def save(self, path: Path) -> None:
        """Write atomically; a killed process leaves the old checkpoint or this one.

        A network's weights go to a file of their own generation first; the checkpoint makes it the valid one.
        """
        model, weights = self.stage.model, _weights_file(path, self.stage.generation)
        if isinstance(model, Diffusion):
            save_weights(weights, model.tensors(), {})
            arrays = {}
        else:
            arrays = {f"model/{name}": part for name, part in model.arrays().items()}
        storage.save(
            path,
            {
                "generation": np.array(self.stage.generation),
                "pool": self.stage.pool,
                "fitted-on": self.stage.fitted_on,
                "born": self.stage.born,
                **self.measured.arrays(),
                **arrays,
            },
        )
        for old in path.parent.glob(_weights_file(path, "*").name):
            if old != weights:
                old.unlink()

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
        generation = int(stored["generation"])
        model: dict[str, NDArray[Any]]
        if isinstance(generator, DiffusionSpec):
            model, _ = load_weights(_weights_file(path, generation))
        else:
            model = {n.removeprefix("model/"): a for n, a in stored.items() if n.startswith("model/")}
        stage = Stage(
            generation,
            generators.from_arrays(generator, model),
            stored["pool"],
            stored["fitted-on"].astype(np.int64),
            stored["born"].astype(np.int64),
        )
        return cls(stage, Measured.from_arrays(stored, generation + 1))


def _weights_file(checkpoint: Path, generation: int | str) -> Path:
    """Return where the weights of a generation are, beside the checkpoint."""
    return checkpoint.with_name(f"model-{generation}.safetensors")
