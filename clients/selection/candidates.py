# SPDX-License-Identifier: Apache-2.0
"""What a rule chooses from: one generation's candidates, what is known of them, and how many it picks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tailweave.clients.samples import Index, Labels, Samples
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.references import Reference
from tailweave.protocols.references.shares import class_shares

Budget = int | Mapping[str, int]
"""How many are picked: of all candidates, or of each class."""


@dataclass(frozen=True)
class Candidates:
    """Candidates, whose features and scores are computed when a rule first asks for them.

    Attributes:
        samples: N of them; their labels, where there are any, are those that the generator or a judge gave.
        space: Public map into the space of comparison, N samples to (N, d).
        budget: n <= N, how many are picked; or how many of each class, which needs labels.
        scorers: What gives a number for each sample, (N,), by the score's name, such as ``surprise``.
        compared: The samples that the reference was made of, where it was made of samples on this node.
        beside: Generation of the newest candidates where these are a part of more; None if they are all.
        public: The space that ``space`` leads into, where rules may ask what of it is classes.
    """

    samples: Samples
    space: Callable[[Samples], Floats]
    budget: Budget
    scorers: Mapping[str, Callable[[Samples], Floats]] = field(default_factory=dict)
    compared: Samples | None = None
    beside: int | None = None
    public: PublicSpace | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.samples)

    @property
    def count(self) -> int:
        """n, how many are picked in all."""
        return self.budget if isinstance(self.budget, int) else sum(self.budget.values())

    @property
    def newest(self) -> int:
        """Generation in which the newest candidates were born: of all, also where these are of one class."""
        return int(self.samples.born.max()) if self.beside is None else self.beside

    @cached_property
    def features(self) -> Floats:
        """The candidates in the space of comparison, shape (N, d)."""
        return self.space(self.samples)

    @property
    def labels(self) -> Labels:
        """The candidates' labels, shape (N,); raises ``ValueError`` if they have none."""
        if self.samples.labels is None:
            raise ValueError("candidates must have labels, got none")
        return self.samples.labels

    @cached_property
    def class_codes(self) -> Ints:
        """Place of each candidate's class among the columns of classes, shape (N,); -1 if it has none."""
        marked = np.array(self._with_classes.marked)
        marks = self.features[:, -len(marked) :] > 0.5 * marked
        codes: Ints = np.where(marks.any(axis=1), marks.argmax(axis=1), -1)
        return codes

    def shares(self, reference: Reference) -> Floats:
        """Return the share of each class in a reference, shape (C,): see ``class_shares``."""
        return class_shares(reference, self._with_classes)

    @property
    def _with_classes(self) -> PublicSpace:
        if self.public is None or not self.public.marked:
            raise ValueError("classes of candidates need features with label-weight, got a map without")
        return self.public

    def score(self, name: str) -> Floats:
        """Return a score of each candidate, shape (N,).

        Raises:
            ValueError: If nothing gives it, or what gives it does not give one finite number for each.
        """
        if name not in self.scorers:
            known = ", ".join(self.scorers) or "none"
            raise ValueError(f"candidates have no score {name!r}; there are: {known}")
        if name not in self._scored:
            self._scored[name] = self._checked(name)
        return self._scored[name]

    @cached_property
    def _scored(self) -> dict[str, Floats]:
        return {}

    def _checked(self, name: str) -> Floats:
        found = np.asarray(self.scorers[name](self.samples), dtype=np.float64)
        if found.shape != (len(self),) or not np.isfinite(found).all():
            raise ValueError(f"score {name} must be {len(self)} finite numbers, got shape {found.shape}")
        return found

    def by_class(self, budget: Mapping[str, int]) -> list[tuple[Index, "Candidates"]]:
        """Return those of each class that is wanted, with the places where they stand here.

        Raises:
            ValueError: If there are no labels, or fewer of a class than are wanted.
        """
        if self.samples.labels is None:
            raise ValueError("a count per class needs labels")
        parts = []
        for label, count in budget.items():
            at = np.flatnonzero(self.samples.labels == label)
            if not 0 <= count <= len(at):
                raise ValueError(f"count of class {label!r} must be 0 to {len(at)}, got {count}")
            if count:
                parts.append((at, self._part(at, count)))
        return parts

    def _part(self, at: Index, count: int) -> "Candidates":
        """Return those at some places, whose features and scores are taken from these."""

        def scorer(name: str) -> Callable[[Samples], Floats]:
            return lambda _: self.score(name)[at]

        scorers = {name: scorer(name) for name in self.scorers}
        taken, beside = self.samples.take(at), (self.compared, self.newest)
        return Candidates(taken, lambda _: self.features[at], count, scorers, *beside, self.public)

    @classmethod
    def of(cls, features: ArrayLike, budget: Budget, labels: ArrayLike | None = None) -> "Candidates":
        """Return candidates that are compared as they are."""
        return cls(Samples.of(features, labels), lambda samples: samples.values, budget)
