# SPDX-License-Identifier: Apache-2.0
"""Adaptation of a classifier to rows whose classes come in other shares."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from tailweave.protocols.config.data import DataSpec
from tailweave.protocols.kinds.sources.bundled import BundledData
from tailweave.protocols.kinds.studies.base import Seeds, StudyKind


class LabelShiftSpec(StudyKind):
    """Entropy minimisation under label shift: plain (Tent) and evened out over predicted classes (DSBR).

    A small network, trained on half of the rows, adapts its normalisation to the others, to which normal
    ``noise`` is added, in batches of ``batch``, ``passes`` times: once with the classes one after the other,
    once long-tailed and shuffled, with ``tail`` times as many rows of the first class as of the last.
    Needs torch (extra ``neural``).
    """

    study: Literal["label-shift"]
    title: ClassVar = "Entropy minimisation under label shift, published against reproduced"
    seeds: Seeds = (0, 1, 2, 3, 4, 5, 6, 7)
    data: DataSpec = BundledData(source="digits", evaluation_fraction=0.5)
    noise: Annotated[float, Field(ge=0.0)] = 0.5
    tail: Annotated[float, Field(ge=1.0)] = 50.0
    batch: Annotated[int, Field(ge=1)] = 4
    passes: Annotated[int, Field(ge=1)] = 6
    learning_rate: Annotated[float, Field(gt=0.0)] = 0.02
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    hidden: Annotated[int, Field(ge=2)] = 64

    def anchored(self, folder: Path) -> Self:
        """Take the path of the data from ``folder``."""
        return self.model_copy(update={"data": self.data.anchored(folder)})
