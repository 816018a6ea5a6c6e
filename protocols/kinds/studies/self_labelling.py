# SPDX-License-Identifier: Apache-2.0
"""Classifiers that label their own training data."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.classifier import ClassifierOptions, ClassifierSpec
from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.config.data import DataSpec
from tailweave.protocols.kinds.sources.python_docs import PythonDocs
from tailweave.protocols.kinds.studies.base import Seeds, Some, StudyKind

Size = Annotated[int, Field(ge=2)]
_MOST_SIZES = 1000


class Growth(Spec):
    """Sizes from ``first`` up to at most ``last``: each ``times`` the one before, or ``add`` more."""

    first: Size
    last: Size
    times: Annotated[float, Field(gt=1.0)] | None = None
    add: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.times is None) == (self.add is None):
            raise ValueError("give times or add, one of them")
        if self.first > self.last:
            raise ValueError(f"first must be at most last = {self.last}, got {self.first}")
        return self

    @property
    def listed(self) -> tuple[int, ...]:
        """All sizes; those that round to the same stand once."""
        found, exact = list[int](), float(self.first)
        while round(exact) <= self.last and len(found) <= _MOST_SIZES:
            if not found or round(exact) > found[-1]:
                found.append(round(exact))
            exact = exact * self.times if self.times else exact + (self.add or 1)
        return tuple(found)


def _listed(raw: object) -> object:
    """List sizes that were given by how they grow."""
    if not isinstance(raw, dict):
        return raw
    try:
        return Growth.model_validate(raw).listed
    except ValidationError as error:
        raise ValueError("; ".join(complaint(error, Growth))) from None


def _rising(sizes: tuple[int, ...]) -> tuple[int, ...]:
    for before, after in pairwise(sizes):
        if after <= before:
            raise ValueError(f"they must rise, got {after} after {before}")
    return sizes


def _different(rates: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(rates)) != len(rates):
        raise ValueError(f"rates must differ, got {', '.join(f'{rate:g}' for rate in rates)}")
    return tuple(sorted(rates))


Sizes = Annotated[
    tuple[Size, ...],
    Some,
    Field(max_length=_MOST_SIZES),
    BeforeValidator(_listed),
    AfterValidator(_rising),
]
Rates = Annotated[tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...], Some, AfterValidator(_different)]


class SelfLabellingSpec(StudyKind):
    """Self-labelling: a classifier labels a share of each new batch of real inputs and learns from it all.

    At every one of ``sizes`` a ``classifier`` is trained from nothing; in each later batch a share, one of
    ``rates``, has the labels of the model before. A seed is a repetition: other rows, another test. With
    ``redraw`` each batch is drawn from all training rows, so that rows repeat. ``starts: every`` runs a
    course from every size, not from the first alone.

    Published sizes and rates, of 400,000 Amazon reviews with a forest of 1,000 trees at depth 20: 50,000 to
    80,000 by 1,000 and rates 0 to 1 by 0.1, 5 repetitions, 20,000 rows held out; 1,000 to 10,000 by 100 and
    rates 0 to 0.09 by 0.01, 20 repetitions; and, redrawn, 80 to 320,000 by factors of 2.51 at rate 1.
    """

    study: Literal["self-labelling"]
    title: ClassVar = "Self-labelling, published against reproduced"
    seeds: Seeds = (0, 1, 2, 3, 4)
    data: DataSpec = PythonDocs(source="python-docs")
    sizes: Sizes = Growth(first=60, last=2600, times=1.6).listed
    rates: Rates = (0.0, 0.25, 0.5, 0.75, 1.0)
    classifier: ClassifierSpec = ClassifierOptions(
        name="random-forest", options={"n-estimators": 100, "max-depth": 20, "bootstrap": False}
    )
    redraw: bool = False
    starts: Literal["first", "every"] = "first"

    def anchored(self, folder: Path) -> Self:
        """Take the path of the data from ``folder``."""
        return self.model_copy(update={"data": self.data.anchored(folder)})
