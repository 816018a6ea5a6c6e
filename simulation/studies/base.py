# SPDX-License-Identifier: Apache-2.0
"""What runs a study: the one contract between it and the command line, its run folder and its page."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.studies.base import StudyKind
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.claims import Claim
from tailweave.simulation.studies.published import published_claims

if TYPE_CHECKING:
    from matplotlib.figure import Figure

S = TypeVar("S", bound=StudyKind)
T = TypeVar("T")


class Study(ABC, Generic[S, T]):
    """Runs what one spec describes, said by ``@implements(TheSpec)``.

    Every row has the keys ``seed`` and ``generation`` (0 where there are none) and finite numbers. Tasks and
    study go to other processes: they are picklable, and what a task gives depends on nothing but it.
    """

    def __init__(self, spec: S) -> None:
        """Take the options."""
        self.spec = spec

    @abstractmethod
    def tasks(self) -> Sequence[T]:
        """Return the pieces of work, in the order in which their rows are wanted."""

    @abstractmethod
    def rows(self, task: T) -> list[Row]:
        """Do one piece of work."""

    def ordered(self, rows: list[Row]) -> list[Row]:
        """Return the rows of all tasks as ``metrics.jsonl`` holds them: by default, as they come."""
        return rows

    @abstractmethod
    def figures(self, rows: Sequence[Row]) -> Mapping[str, "tuple[str, Figure]"]:
        """Draw: name to caption and figure. Import what draws within: the workers draw nothing."""

    def claims(self) -> list[Claim]:
        """Return every published number, from ``published_<file of the study>.yaml`` beside that file."""
        home = Path(inspect.getfile(type(self)))
        return published_claims(home.with_name(f"published_{home.stem}.yaml"))


def study_of(spec: StudyKind) -> Study[Any, Any]:
    """Return what runs a study.

    Raises:
        KindError: If nothing does.
    """
    made: Study[Any, Any] = implementation(spec, spec.study, __package__)(spec)
    return made
