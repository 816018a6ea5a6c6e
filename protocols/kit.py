# SPDX-License-Identifier: Apache-2.0
"""The public kit of one seed: the shared feature map and the base generator's parameters, in one file."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tailweave.protocols.arrays import Floats, matrix, part_of
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.npz import NpzError, read_npz, write_npz


@dataclass(frozen=True)
class PublicKit:
    """What every silo is given; made from public samples only.

    Attributes:
        features: The shared feature map.
        base: Parameters of the base generator, by name.
        samples: Features of public samples of the base generator, shape (m, d).
        columns: Names of the data's columns, where they have names that silos must share.
        evaluation: The map in which generations are measured; None where it is ``features``.
        held_out: What real silos measure against instead of their own rows: ``features`` of public held-out
            rows, shape (h, d) in that map, and of documents the ``texts`` themselves, packed; else empty.
        questions: Multiple-choice questions, packed lines; None where there are none.
    """

    features: FeatureMap
    base: dict[str, Floats]
    samples: Floats
    columns: tuple[str, ...] = ()
    evaluation: FeatureMap | None = None
    held_out: dict[str, Floats] = field(default_factory=dict)
    questions: Floats | None = None

    def save(self, path: Path) -> None:
        """Write the kit as NPZ, whole or not at all: a resumed run reads it back."""
        parts = {f"features/{name}": array for name, array in self.features.arrays().items()}
        parts |= {f"base/{name}": array for name, array in self.base.items()}
        parts["samples"] = self.samples
        if self.evaluation is not None:
            parts |= {f"evaluation/{name}": array for name, array in self.evaluation.arrays().items()}
        parts |= {f"held-out/{name}": array for name, array in self.held_out.items()}
        parts |= {} if self.questions is None else {"questions": self.questions}
        path.parent.mkdir(parents=True, exist_ok=True)
        names = {"columns": np.array(self.columns, dtype=np.str_)} if self.columns else {}
        write_npz(path, parts | names)

    @classmethod
    def load(cls, path: Path) -> "PublicKit":
        """Read a kit.

        Raises:
            ValueError: If the file is missing or is not a kit.
        """
        try:
            arrays = read_npz(path)
        except (OSError, NpzError) as error:
            raise ValueError(f"{path}: not a readable public kit: {error}") from None
        measured = part_of(arrays, "evaluation")
        feature_map = FeatureMap.from_arrays(part_of(arrays, "features"))
        evaluation = FeatureMap.from_arrays(measured) if measured else None
        if "samples" not in arrays:
            raise ValueError(f"{path}: not a readable public kit: it lacks samples")
        samples = matrix(arrays["samples"], "kit samples", columns=feature_map.dimension)
        columns = tuple(str(name) for name in arrays.get("columns", np.array([], dtype=np.str_)))
        if columns and len(columns) != feature_map.columns:
            raise ValueError(
                f"{path}: names {len(columns)} columns, its feature map has {feature_map.columns}"
            )
        held_out = part_of(arrays, "held-out")
        if held_out:
            rows = held_out.get("features", np.zeros(0))
            matrix(rows, "held-out rows", columns=(evaluation or feature_map).dimension)
        base, questions = part_of(arrays, "base"), arrays.get("questions")
        return cls(feature_map, base, samples, columns, evaluation, held_out, questions)
