# SPDX-License-Identifier: Apache-2.0
"""What an arm is, in the words of the report: read from its reference, whatever its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ROLES = {
    "no-selection": "keeps a random subset of its own candidates",
    "unguided": "selects among its own candidates without comparing them with anything",
    "siloed": "each silo selects against its own rows alone; nothing leaves it",
    "anchored": "selects against the public base generator, without any silo's help",
    "collaborative": "selects against the reference woven from all silos' summaries",
    "oracle": "selects against the truth itself: a ceiling that no real federation can reach",
    "other": "an arm that the configuration does not describe",
}
BY_REFERENCE = {None: "no-selection", "local": "siloed", "public": "anchored", "oracle": "oracle"}


@dataclass(frozen=True)
class Arm:
    """One arm as a reader meets it.

    Attributes:
        name: Its name in the configuration.
        role: One of ``ROLES``.
        rule: Selection rule, if the configuration says.
        reference: Kind of reference, if it has one.
        generator: Options of the generator in which it differs from the other arms.
    """

    name: str
    role: str
    rule: str | None
    reference: str | None
    generator: Mapping[str, Any] = field(default_factory=dict)


def describe(name: str, config: Mapping[str, Any]) -> Arm:
    """Find out what an arm of a resolved configuration is.

    Its role comes from its reference (none: no-selection, or unguided if its rule is not random; local:
    siloed, public: anchored, oracle: oracle, any other: collaborative); an arm that the configuration lacks
    is judged by its name.
    """
    spec = next((arm for arm in config.get("arms") or [] if arm.get("name") == name), None)
    if spec is None:
        named = "collaborative" if name.startswith("collaborative") else name
        return Arm(name, named if named in ROLES else "other", None, None)
    reference = spec.get("reference")
    kind = reference.get("kind") if isinstance(reference, Mapping) else reference
    rule = spec.get("rule")
    rule = rule.get("kind") if isinstance(rule, Mapping) else rule
    role = BY_REFERENCE.get(kind, "collaborative")
    if role == "no-selection" and rule not in (None, "random"):
        role = "unguided"
    return Arm(name, role, rule, kind, spec.get("generator") or {})


def first_of(role: str, arms: Sequence[Arm]) -> Arm | None:
    """Return the arm that stands for a role: the one named after it, else the first that has it."""
    having = [arm for arm in arms if arm.role == role]
    return next((arm for arm in having if arm.name == role), having[0] if having else None)
