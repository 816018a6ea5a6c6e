# SPDX-License-Identifier: Apache-2.0
"""Kinds of other packages that a silo itself would run: its owner must have installed and named them."""

from collections.abc import Iterable, Sequence

from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.config.training import GENERATORS
from tailweave.protocols.kinds.generators.base import GeneratorKind

_FAMILIES = {family.name: family for family in (RULES, GENERATORS, REFERENCES)}


def kinds_of_others(generator: GeneratorKind, arms: Iterable[ArmSpec]) -> tuple[str, ...]:
    """Return those of these that are not tailweave's own, such as ``rule every-nth``, sorted, each once."""
    named = [(GENERATORS, generator.kind)]
    for arm in arms:
        named.append((RULES, arm.rule.kind))
        if arm.reference is not None:
            named.append((REFERENCES, arm.reference.kind))
    return tuple(sorted({f"{family.name} {kind}" for family, kind in named if not family.is_own(kind)}))


def not_here(named: Sequence[str]) -> list[str]:
    """Return those of these names that nothing installed here stands for.

    Args:
        named: As ``kinds_of_others`` returns them, but perhaps a stranger's.
    """
    parts = [(name, *name.partition(" ")[::2]) for name in named]
    return [
        name for name, family, kind in parts if family not in _FAMILIES or kind not in _FAMILIES[family].kinds
    ]
