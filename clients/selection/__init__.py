# SPDX-License-Identifier: Apache-2.0
"""Selection rules: which n of N candidates the next generation is trained on; one file a rule."""

from typing import Protocol

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.rules.base import RuleKind
from tailweave.protocols.references import Empirical, Reference


class Rule(Protocol):
    """The contract of a rule; ``reference`` is what its spec says that it compares with."""

    def __call__(
        self,
        spec: RuleKind,
        candidates: Candidates,
        reference: Reference | None,
        rng: np.random.Generator,
    ) -> Ints:
        """Return the indices of ``candidates.count`` of them; see ``select``."""
        ...


def select(
    spec: RuleKind, candidates: Candidates, reference: Reference | None, *, rng: np.random.Generator
) -> Ints:
    """Pick some of the candidates by a rule.

    Args:
        spec: The rule and its options.
        candidates: N of them, of which n are wanted; with a count per class the rule chooses in each class.
        reference: What the rule compares with; None for rules that compare with nothing.
        rng: Stream of the rule's own randomness.

    Returns:
        Indices, shape (n,).

    Raises:
        ValueError: If the rule lacks its reference, the reference has no points and the rule needs them, the
            candidates are of a sort that the rule does not take, lack labels, a score or the samples that the
            reference was made of, or what the rule picked is not n different candidates.
    """
    rule: Rule = implementation(spec, spec.kind, __package__)
    _check_fit(spec, candidates, reference)
    if isinstance(candidates.budget, int):
        return _checked(rule(spec, candidates, reference, rng), spec, candidates)
    parts = candidates.by_class(candidates.budget)
    picks = [at[_checked(rule(spec, part, reference, rng), spec, part)] for at, part in parts]
    return np.concatenate([np.empty(0, dtype=np.int64), *picks])


def _check_fit(spec: RuleKind, candidates: Candidates, reference: Reference | None) -> None:
    """Refuse what the rule cannot choose from or compare with."""
    if spec.compares != "nothing" and reference is None:
        raise ValueError(f"rule {spec.kind} needs a reference, got none")
    if spec.compares == "points" and not isinstance(reference, Empirical):
        raise ValueError(f"rule {spec.kind} needs a reference with points, got {type(reference).__name__}")
    sort = candidates.samples.sort.name
    if sort not in spec.takes:
        raise ValueError(f"rule {spec.kind} takes samples of sort {', '.join(spec.takes)}, got {sort}")
    if spec.compares_samples and candidates.compared is None:
        raise ValueError(
            f"rule {spec.kind} reads the samples that its reference was made of, got a reference of others"
        )


def _checked(picks: Ints, spec: RuleKind, candidates: Candidates) -> Ints:
    """Refuse what no rule may return: another package's rule is code that nobody here has read."""
    found, count = np.asarray(picks), candidates.count
    whole = found.ndim == 1 and found.dtype.kind in "iu" and len(found) == count
    if not whole or len(np.unique(found)) < count or found.min() < 0 or found.max() >= len(candidates):
        raise ValueError(
            f"rule {spec.kind} must pick {count} different candidates of {len(candidates)}, got "
            f"{found.dtype} of shape {found.shape}"
        )
    return found.astype(np.int64, copy=False)
