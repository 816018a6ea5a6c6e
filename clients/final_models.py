# SPDX-License-Identifier: Apache-2.0
"""What a finished arm leaves in its checkpoint: a model to draw from, and the samples selected for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from tailweave.clients import generators, storage
from tailweave.clients.arm_run import ArmRun
from tailweave.clients.checkpoints import weights_file
from tailweave.clients.neural.weights import load_weights
from tailweave.clients.recursion import Pick
from tailweave.clients.samples import TEXT, Images, Numbers, Samples, Sort
from tailweave.clients.sorts_table import Table
from tailweave.protocols.arrays import part_of
from tailweave.protocols.config.training import GeneratorSpec
from tailweave.protocols.npz import NpzError, open_npz

_ABOUT = "about"
_SPEC: TypeAdapter[GeneratorSpec] = TypeAdapter(GeneratorSpec)
_SORTS: dict[str, type[Sort]] = {kind.name: kind for kind in (Numbers, Images, Table, type(TEXT))}


def left_by(run: ArmRun, pick: Pick | None) -> dict[str, NDArray[Any]]:
    """Return what the checkpoint of an arm's last generation holds beside the model.

    On a real node the selected samples are among it only where its owner's policy allows an export. Real
    samples, which some rules select too, never are: of these nothing stays once an arm is over.

    Args:
        run: The arm.
        pick: What was selected for the last generation; None where nothing was.
    """
    question, sort = run.question, run.sort
    about = {
        "arm": question.arm.name,
        "seed": question.seed,
        "silo": run.node.silo.name,
        "generator": question.generator.model_dump(mode="json", by_alias=True),
        "sort": {"name": sort.name, "parts": sort.described()},
    }
    kept: dict[str, NDArray[Any]] = {_ABOUT: np.array(json.dumps(about))}
    if pick is None or not (run.simulated or run.node.policy.allow_export):
        return kept
    selected = pick.candidates.take(pick.selected)
    made = np.flatnonzero(selected.born > 0)
    parts = selected.take(made).arrays() if len(made) else {}
    return kept | {f"selected/{name}": part for name, part in parts.items()}


def leaves_model(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is that of an arm that has come to its end and can be drawn from."""
    try:
        with open_npz(checkpoint) as archive:
            return _ABOUT in archive.members
    except (OSError, NpzError):  # torn: nothing can be drawn from it
        return False


@dataclass(frozen=True, eq=False)
class FinalModel:
    """The last model of one arm on one silo.

    Attributes:
        spec: Kind and options of the model.
        sort: What a sample is.
        seed: Root seed of the run.
        silo: Name of the silo.
        parameters: Of the model, by name.
        stored: Arrays of the checkpoint.
    """

    spec: GeneratorSpec
    sort: Sort
    seed: int
    silo: str
    parameters: Mapping[str, NDArray[Any]]
    stored: Mapping[str, NDArray[Any]]

    @classmethod
    def load(cls, checkpoint: Path) -> "FinalModel":
        """Read what a finished arm left.

        Raises:
            ValueError: If the file cannot be read, or is not of an arm that was finished and kept.
        """
        stored = storage.load(checkpoint)
        try:
            about = json.loads(str(stored[_ABOUT]))
            spec = _SPEC.validate_python(about["generator"])
            sort = _SORTS[about["sort"]["name"]].from_description(about["sort"]["parts"])
            seed, silo, generation = int(about["seed"]), str(about["silo"]), int(stored["generation"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{checkpoint}: leaves no model to draw from ({error})") from None
        large = spec.large
        parameters = load_weights(weights_file(checkpoint, generation))[0] if large else None
        return cls(spec, sort, seed, silo, parameters or part_of(stored, "model"), stored)

    @cached_property
    def selected(self) -> Samples | None:
        """The generated samples that were selected for the last generation; None if none were kept."""
        parts = part_of(self.stored, "selected")
        return Samples.from_arrays(parts, self.sort) if parts else None

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw samples of the run's own sort.

        Args:
            count: How many, at least 1.
            rng: Stream of the draw.

        Raises:
            ValueError: If the model draws with the help of what is not kept beside it.

        Privacy:
            A model that has seen a silo's own rows gives them away in part: what it draws is a release of
            them without noise, outside the budget.
        """
        spec = self.spec
        help_of = {
            spec.sees_own: spec.sees_own is not None,
            "the public base": spec.looks_at_base,
            "the reference": spec.looks_at_reference,
        }
        needed = [str(name) for name, needs in help_of.items() if needs]
        if needed:
            raise ValueError(
                f"generator {spec.kind} draws with the help of {' and '.join(needed)}, which is not kept "
                "beside the model: --selected writes what it drew for the last generation"
            )
        return generators.from_arrays(spec, self.parameters, self.sort).sample(count, rng=rng)
