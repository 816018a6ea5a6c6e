# SPDX-License-Identifier: Apache-2.0
"""Selection rules in a configuration: by name, or as a mapping with options."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.training import GENERATORS
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.generators.base import GeneratorKind
from tailweave.protocols.kinds.references.base import ReferenceKind
from tailweave.protocols.kinds.rules.base import RuleKind

RULES = Family("rule", RuleKind, "tailweave.protocols.kinds.rules")
if TYPE_CHECKING:
    RuleSpec = RuleKind
else:
    RuleSpec = RULES.field()


def check_reference(rule: RuleKind, reference: ReferenceKind | None, *, looked_at: bool = False) -> None:
    """Refuse a rule without the reference that it needs, or with one that it cannot use.

    Args:
        rule: The rule.
        reference: The arm's.
        looked_at: Whether the generator looks at it, whatever the rule does.

    Raises:
        ValueError: With what is allowed.
    """
    if rule.compares == "nothing":
        if reference is not None and not looked_at:
            raise ValueError(f"rule {rule.kind} compares with nothing: remove reference")
    elif reference is None:
        raise ValueError(f"rule {rule.kind} needs a reference")
    elif rule.compares_samples and reference.sees == "releases":
        of_samples = [name for name, spec in REFERENCES.kinds.items() if spec.sees != "releases"]
        raise ValueError(
            f"rule {rule.kind} reads the samples that a reference is made of, so it needs one made on the "
            f"silo's node ({', '.join(of_samples)}), got {reference.kind}"
        )
    elif rule.compares == "points" and not reference.points:
        with_points = [name for name, spec in REFERENCES.kinds.items() if spec.points]
        on_sketches = [name for name, spec in RULES.kinds.items() if spec.compares == "potential"]
        raise ValueError(
            f"rule {rule.kind} needs a reference with points ({', '.join(with_points)}), "
            f"got {reference.kind}; "
            f"on a sketch works rule {', '.join(on_sketches)}"
        )


def check_labels(rule: RuleKind, generator: GeneratorKind, *, weighs_labels: bool) -> None:
    """Refuse what needs labels where candidates have none, or where labels are no part of the features.

    Args:
        rule: The arm's.
        generator: The arm's.
        weighs_labels: Whether features have columns of classes.

    Raises:
        ValueError: With what to change.
    """
    needs = rule.reads_labels or weighs_labels
    if needs and not generator.labels:
        with_labels = [name for name, spec in GENERATORS.kinds.items() if spec.labels]
        asks = f"rule {rule.kind}" if rule.reads_labels else "features.label-weight"
        raise ValueError(
            f"{asks} needs a generator whose candidates have labels ({', '.join(with_labels)}), got "
            f"{generator.kind}"
        )
    shares = generator.looks_at_reference or (rule.reads_labels and rule.compares != "nothing")
    if shares and not weighs_labels:
        asks = "generator.prior: reference" if generator.looks_at_reference else f"rule {rule.kind}"
        raise ValueError(f"{asks} reads shares of classes from the reference: set features.label-weight")


def check_scores(rule: RuleKind, giver: str, given: Sequence[str]) -> None:
    """Refuse a rule that needs of each candidate what the generator cannot say.

    Args:
        rule: The rule.
        giver: What gives scores, for the message.
        given: Scores that it gives.

    Raises:
        ValueError: With the scores that there are.
    """
    lacking = [name for name in rule.scores if name not in given]
    if lacking:
        raise ValueError(
            f"rule {rule.kind} needs a score {lacking[0]} of each candidate, {giver} gives "
            f"{', '.join(given) or 'none'}"
        )


def check_pool(rule: RuleKind, paradigm: str, *, include_real: bool) -> None:
    """Refuse a rule that looks at when candidates were born, where that says nothing.

    Args:
        rule: The rule.
        paradigm: What the arm keeps of earlier generations.
        include_real: Whether the silo's own samples stand beside them.

    Raises:
        ValueError: With what to change.
    """
    if rule.chooses_among == "any":
        return
    if paradigm != "accumulate-select":
        raise ValueError(
            f"rule {rule.kind} chooses among candidates of all generations: it needs "
            f"paradigm: accumulate-select, got {paradigm}, where all candidates are of the newest generation "
            "(rule random draws from these)"
        )
    if rule.chooses_among == "real" and not include_real:
        raise ValueError(
            f"rule {rule.kind} needs include-real: true; with include-real: false no candidate is real"
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
