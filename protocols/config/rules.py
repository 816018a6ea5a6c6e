# SPDX-License-Identifier: Apache-2.0
"""Selection rules in a configuration: by name, or as a mapping with options."""

from typing import TYPE_CHECKING

from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.references.base import ReferenceKind
from tailweave.protocols.kinds.rules.base import RuleKind

RULES = Family("rule", RuleKind, "tailweave.protocols.kinds.rules")
if TYPE_CHECKING:
    RuleSpec = RuleKind
else:
    RuleSpec = RULES.field()


def check_reference(rule: RuleKind, reference: ReferenceKind | None) -> None:
    """Refuse a rule without the reference that it needs, or with one that it cannot use.

    Raises:
        ValueError: With what is allowed.
    """
    if rule.compares == "nothing":
        if reference is not None:
            raise ValueError(f"rule {rule.kind} compares with nothing: remove reference")
    elif reference is None:
        raise ValueError(f"rule {rule.kind} needs a reference")
    elif rule.compares == "points" and not reference.points:
        with_points = [name for name, spec in REFERENCES.kinds.items() if spec.points]
        on_sketches = [name for name, spec in RULES.kinds.items() if spec.compares == "potential"]
        raise ValueError(
            f"rule {rule.kind} needs a reference with points ({', '.join(with_points)}), "
            f"got {reference.kind}; "
            f"on a sketch works rule {', '.join(on_sketches)}"
        )


def check_candidates(rule: RuleKind, candidates: int) -> None:
    """Refuse a rule that cannot choose from so few candidates.

    Raises:
        ValueError: If N is below what the rule needs.
    """
    if candidates < rule.fewest:
        raise ValueError(
            f"rule {rule.kind} needs at least {rule.fewest} candidates (samples x candidates-per-sample), "
            f"got {candidates}"
        )
