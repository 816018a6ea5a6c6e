# SPDX-License-Identifier: Apache-2.0
"""Where the truth comes from, how it is cut into silos, and what the public base generator saw."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.partitions.base import PartitionKind
from tailweave.protocols.kinds.sources.base import AnySource

SOURCES = Family("source", AnySource, "tailweave.protocols.kinds.sources", tag="source")
PARTITIONS = Family("partition", PartitionKind, "tailweave.protocols.kinds.partitions")
if TYPE_CHECKING:
    DataSpec = AnySource
    PartitionSpec = PartitionKind
else:
    DataSpec = SOURCES.field()
    PartitionSpec = PARTITIONS.field()


class SilosSpec(Spec):
    """How many silos there are, what each holds, and how many retrain (``follow``: the first; null: all).

    ``sample`` is how many of those that retrain are measured, drawn at random for each seed and the same for
    all arms and generations (null: all): measuring a generation often takes longer than making it.
    ``labelled`` is how many of a silo's training rows have a label, drawn at random (null: all).
    ``min_rows`` is the fewest rows that a silo may get: a random partition is drawn again until all have.
    """

    count: Annotated[int, Field(ge=1, le=10_000)]
    follow: Annotated[int, Field(ge=1)] | None = None
    sample: Annotated[int, Field(ge=1)] | None = None
    partition: PartitionSpec
    rows_per_silo: Annotated[int, Field(ge=1)] | None = None
    min_rows: Annotated[int, Field(ge=1)] = 2
    labelled: Annotated[int, Field(ge=2)] | None = None
    heldout_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1

    @property
    def followed(self) -> int:
        """How many silos retrain; the others only take part in making references."""
        return self.count if self.follow is None else self.follow

    @property
    def measured(self) -> int:
        """How many silos are measured."""
        return self.followed if self.sample is None else self.sample

    @model_validator(mode="after")
    def _enough_to_follow(self) -> Self:
        if self.followed > self.count:
            raise ValueError(f"follow must be at most count = {self.count}, got {self.follow}")
        if self.measured > self.followed:
            raise ValueError(
                f"sample must be at most the {self.followed} silos that retrain, got {self.sample}"
            )
        return self


class PublicSpec(Spec):
    """The share of the truth that the public base generator was fitted on, thinned by class weights."""

    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    class_weights: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] = {}

    @model_validator(mode="before")
    @classmethod
    def _labels_are_text(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            return raw
        key = "class-weights" if "class-weights" in raw else "class_weights"
        if isinstance(raw.get(key), dict):
            return {**raw, key: {str(label): weight for label, weight in raw[key].items()}}
        return raw
