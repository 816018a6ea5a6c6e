# SPDX-License-Identifier: Apache-2.0
"""What every study says of itself."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field

from tailweave.protocols.config.base import Spec

Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
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
