# SPDX-License-Identifier: Apache-2.0
"""Selection by itself: which of your candidates to keep, judged by a reference made of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from tailweave.clients.selection import select as select_by
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Ints
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.config.rules import RuleSpec, check_candidates, check_reference
from tailweave.protocols.kinds.references.plain import LocalReference
from tailweave.protocols.references.empirical import Empirical
from tailweave.rows import as_rows


@dataclass(frozen=True)
class Reference:
    """What candidates are judged by: rows, alike or weighted.

    Attributes:
        points: The rows, and a mass each.
    """

    points: Empirical

    @classmethod
    def of(cls, rows: object, masses: object = None) -> Self:
        """Return the reference that rows make.

        Args:
            rows: Shape (m, d), in the candidates' features: an array, or a data frame of numbers.
            masses: Shape (m,), non-negative; scaled to sum to 1. None: all alike.

        Raises:
            ValueError: If rows are empty or not finite, or masses do not fit.
        """
        weights = None if masses is None else np.asarray(masses, dtype=np.float64)
        return cls(Empirical.of(as_rows(rows, "rows"), weights))

    def __repr__(self) -> str:
        """Return its size."""
        rows, columns = self.points.points.shape
        return f"Reference({rows} rows, {columns} columns)"


class _Asked(Spec):
    rule: RuleSpec


def select(
    candidates: object,
    *,
    reference: Reference | None = None,
    count: int,
    rule: str | Mapping[str, Any] = "herding",
    rng: np.random.Generator,
) -> Ints:
    """Pick some of the candidates by a rule.

    Distances are Euclidean, of columns as they are: put them on a common scale first, or give features,
    of both candidates and reference.

    Args:
        candidates: Shape (N, d): an array, or a data frame of numbers.
        reference: What they are judged by; None for a rule that compares with nothing, such as ``random``.
        count: n, 1 to N: how many are picked.
        rule: A name (``tailweave list`` shows them), or a mapping with ``kind`` and the rule's options.
        rng: Whence a rule draws, such as ``numpy.random.default_rng(0)``.

    Returns:
        Indices of n different candidates, shape (n,), for ``candidates[picks]`` or ``frame.iloc[picks]``.

    Raises:
        ValueError: If an argument does not fit; says which, what was found and what is allowed.
    """
    spec = _rule(rule)
    if reference is not None and not isinstance(reference, Reference):
        raise ValueError(
            f"reference must be a Reference, as Reference.of(rows) makes it, got {type(reference).__name__}"
        )
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng must be a numpy.random.Generator, such as default_rng(0), got {type(rng).__name__}"
        )
    check_reference(spec, None if reference is None else LocalReference(kind="local"))
    points = None if reference is None else reference.points
    rows = as_rows(candidates, "candidates", columns=None if points is None else points.dimension)
    check_candidates(spec, len(rows))
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= len(rows):
        raise ValueError(
            f"count must be an integer from 1 to {len(rows)}, the number of candidates, got {count!r}"
        )
    return select_by(spec, Candidates.of(rows, int(count)), points, rng=rng)


def _rule(rule: object) -> RuleSpec:
    try:
        return _Asked.model_validate({"rule": rule}).rule
    except ValidationError as error:
        raise ValueError("; ".join(complaint(error, _Asked))) from None
