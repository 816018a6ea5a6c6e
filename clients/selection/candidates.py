# SPDX-License-Identifier: Apache-2.0
"""What a rule chooses from: the candidates of one generation, and how many it picks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tailweave.protocols.arrays import Floats


@dataclass(frozen=True)
class Candidates:
    """Candidates, whose features are computed when a rule first asks for them.

    Attributes:
        rows: Shape (N, p), data units.
        space: Public map into the space of comparison, (N, p) to (N, d).
        count: n <= N, how many are picked.
    """

    rows: Floats
    space: Callable[[Floats], Floats]
    count: int

    def __len__(self) -> int:
        """Return N."""
        return len(self.rows)

    @cached_property
    def features(self) -> Floats:
        """The candidates in the space of comparison, shape (N, d)."""
        return self.space(self.rows)

    @classmethod
    def of(cls, features: Floats, count: int) -> "Candidates":
        """Return candidates that are compared as they are."""
        return cls(features, lambda rows: rows, count)
