# SPDX-License-Identifier: Apache-2.0
"""References: what a silo releases, how the server weaves releases, how candidates are compared."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.references.base import ReferenceKind, SummarisedReference
from tailweave.protocols.kinds.references.transported import WovenReference
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.pairs import PairDistances

Options = TypeVar("Options", bound=SummarisedReference)
Released = TypeVar("Released", bound="Summary")


class Reference(Protocol):
    """What selection compares with."""

    def potential(self, x: Floats) -> Floats:
        """Return E|x - r| for candidates x (n, d): shape (n,), feature units."""
        ...

    def pairs(self, x: Floats) -> PairDistances:
        """Return distances between candidates x (n, d) in the same form as the potential."""
        ...


class Summary(Protocol):
    """What one silo releases."""

    @property
    def count(self) -> float:
        """Rows behind it, as it says."""
        ...

    def arrays(self) -> dict[str, Floats]:
        """Return the parts by name, as they cross the wire."""
        ...


class Made(Protocol):
    """What implements a reference for which silos release nothing."""

    def __call__(self, spec: ReferenceKind, rows: Floats, space: PublicSpace) -> Reference:
        """Make it of the features (n, d) that its spec ``sees``."""
        ...


class Summarised(ABC, Generic[Options, Released]):
    """What implements a reference for which silos release a summary: all but ``shrunk`` must be said.

    Attributes:
        summary: The type of its summaries.
    """

    summary: ClassVar[type]

    def __init__(self, spec: Options) -> None:
        """Do so with these options."""
        self.spec = spec

    @property
    @abstractmethod
    def mechanism(self) -> Mechanism:
        """What summarises with noise."""

    @abstractmethod
    def summarise(
        self, rows: Floats, space: PublicSpace, smallest: int, rng: np.random.Generator
    ) -> Released:
        """Summarise features (n, d) without noise, where rows leave in groups ``smallest`` or more."""

    @abstractmethod
    def read(self, arrays: Mapping[str, Floats], dimension: int, exact: bool) -> Released:
        """Rebuild a summary; see ``read_summary``."""

    @abstractmethod
    def weave(self, summaries: Sequence[Released], weights: Floats | None) -> dict[str, Floats]:
        """Aggregate summaries; see ``weave``."""

    @abstractmethod
    def proxy(self, arrays: Mapping[str, Floats], space: PublicSpace) -> Reference:
        """Rebuild what was woven."""

    def shrunk(
        self, woven: dict[str, Floats], noise: Floats, samples: Floats, space: PublicSpace
    ) -> dict[str, Floats]:
        """Pull what was woven, with this variance of its noise, towards public samples (M, d)."""
        return woven


def summarised(spec: SummarisedReference) -> Summarised[Any, Any]:
    """Return what implements a reference for which silos release a summary."""
    found: type[Summarised[Any, Any]] = implementation(spec, spec.kind, __package__)
    return found(spec)


def made(spec: ReferenceKind, rows: Floats, space: PublicSpace) -> Reference:
    """Make a reference for which silos release nothing, of the features (n, d) that it ``sees``."""
    make: Made = implementation(spec, spec.kind, __package__)
    return make(spec, rows, space)


def release(
    rows: Floats,
    spec: SummarisedReference,
    space: PublicSpace,
    min_cluster_size: int,
    *,
    rng: np.random.Generator,
) -> Summary:
    """Turn a silo's features (n, d) into the summary that leaves it.

    Raises:
        ValueError: If rows are too few, not finite or of another dimension.

    Privacy:
        See the kind's own ``summarise``; nothing is noised here.
    """
    found: Summary = summarised(spec).summarise(rows, space, min_cluster_size, rng)
    return found


def read_summary(
    arrays: Mapping[str, Floats], spec: SummarisedReference, dimension: int, *, exact: bool = False
) -> Summary:
    """Rebuild a summary from wire arrays and check that it is the one asked for, of d columns.

    An ``exact`` one, released without noise, must also be what rows can give.

    Raises:
        ValueError: If parts are missing or do not fit, the summary has another shape than ``spec`` asks, or
            exact histograms cannot be counts of rows.
    """
    found: Summary = summarised(spec).read(arrays, dimension, exact)
    return found


def weave(
    summaries: Sequence[Summary], spec: SummarisedReference, *, weights: Floats | None = None
) -> dict[str, Floats]:
    """Aggregate summaries, one a silo and sorted, into the arrays that ``proxy`` reads.

    Silos have masses ``weights`` (K,) in any unit, or their rows when not given; one of mass 0 is out.

    Raises:
        ValueError: If there are none, not all are of the kind that ``spec`` names, or weights do not fit.
    """
    kind = summarised(spec)
    if not summaries or not all(isinstance(summary, kind.summary) for summary in summaries):
        raise ValueError(
            f"{spec.kind} needs summaries of its own kind, got {[type(s).__name__ for s in summaries]}"
        )
    return kind.weave(summaries, weights)


def proxy(arrays: Mapping[str, Floats], spec: WovenReference, space: PublicSpace) -> Reference:
    """Rebuild the proxy reference that the server wove; all silos rebuild the same one.

    Raises:
        ValueError: If parts are missing or do not fit ``spec`` and ``space``.
    """
    if isinstance(spec, SummarisedReference):
        return summarised(spec).proxy(arrays, space)
    found: Reference = implementation(spec, spec.kind, __package__)(arrays, spec, space)
    return found


__all__ = [
    "Empirical",
    "Made",
    "Reference",
    "Summarised",
    "Summary",
    "made",
    "proxy",
    "read_summary",
    "release",
    "summarised",
    "weave",
]
