# SPDX-License-Identifier: Apache-2.0
"""Selection by itself: which of your candidates to keep, judged by a reference made of rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from tailweave.clients.samples import Samples
from tailweave.clients.selection import select as select_by
from tailweave.clients.selection.candidates import Budget, Candidates
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.config.rules import RuleSpec, check_candidates, check_reference, check_scores
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
    count: int | Mapping[str, int],
    rule: str | Mapping[str, Any] = "herding",
    rng: np.random.Generator,
    known: Mapping[str, object] | None = None,
) -> Ints:
    """Pick some of the candidates by a rule.

    Distances are Euclidean, of columns as they are: put them on a common scale first, or give features,
    of both candidates and reference.

    Args:
        candidates: Shape (N, d): an array, or a data frame of numbers.
        reference: What they are judged by; None for a rule that compares with nothing, such as ``random``.
        count: n, 1 to N: how many are picked; or how many of each class, such as ``{"a": 10, "b": 5}``.
        rule: A name (``tailweave list`` shows them), or a mapping with ``kind`` and the rule's options.
        rng: Whence a rule draws, such as ``numpy.random.default_rng(0)``.
        known: What is known of each candidate beside its features, by name, each of shape (N,): its class as
            ``labels``, which a count per class needs, and scores such as ``surprise`` (minus the log
            probability), which ``surplexity`` needs.

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
    labels: ArrayLike | None = None
    scorers = {}
    for name, values in (known or {}).items():
        if name not in ("labels", *spec.scores):
            wanted = ", ".join(["labels", *spec.scores])
            raise ValueError(f"known has {name!r}, rule {spec.kind} can use: {wanted}")
        if name == "labels":
            labels = np.asarray(values, dtype=np.str_)
        else:
            scorers[name] = _same(np.asarray(values, dtype=np.float64))
    check_scores(spec, "argument known", tuple(scorers))
    found = Candidates.of(rows, _budget(count, len(rows)), labels)
    return select_by(spec, replace(found, scorers=scorers), points, rng=rng)


def _same(scores: Floats) -> Callable[[Samples], Floats]:
    return lambda _: scores


def _budget(count: object, candidates: int) -> Budget:
    if isinstance(count, Mapping):
        budget = {str(label): _whole(of_class, candidates, 0) for label, of_class in count.items()}
        if not any(budget.values()):
            raise ValueError(f"count must want at least one candidate of some class, got {dict(count)!r}")
        return budget
    return _whole(count, candidates, 1)


def _whole(count: object, candidates: int, least: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not least <= count <= candidates:
        raise ValueError(
            f"count must be an integer from {least} to {candidates}, the number of candidates, got {count!r}"
        )
    return int(count)


def _rule(rule: object) -> RuleSpec:
    try:
        return _Asked.model_validate({"rule": rule}).rule
    except ValidationError as error:
        raise ValueError("; ".join(complaint(error, _Asked))) from None
