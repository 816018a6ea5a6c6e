# SPDX-License-Identifier: Apache-2.0
"""What every study says of itself."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field

from tailweave.protocols.config.base import Spec


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must hold one value or more, got []")
    return values


Some = AfterValidator(_not_empty)
"""Of a tuple: not empty; not said where a value in it is wrong, as ``min_length`` would."""
Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Some]
Sizes = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Some]
Workers = Annotated[int, Field(ge=1, le=64)]
Share = Annotated[float, Field(gt=0, le=1)]


class StudyKind(Spec):
    """A loop of its own beside experiments, held against what was published.

    ``title`` heads its page; ``leaks`` stands there where what it runs gives rows away. ``implemented_in``
    names the file in ``simulation/studies`` that runs it, if it is not the study's own name.
    """

    study: str
    title: ClassVar[str]
    leaks: ClassVar[str] = ""
    implemented_in: ClassVar[str | None] = None
    seeds: Seeds
    workers: Workers = 2

    def anchored(self, folder: Path) -> Self:
        """Return the same with relative paths taken from ``folder``, that of the configuration."""
        return self
