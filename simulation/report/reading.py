# SPDX-License-Identifier: Apache-2.0
"""What a run on text reads like: documents of its arms side by side, a line a generation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailweave.protocols.visible import visible
from tailweave.simulation.figures.style import colour_of
from tailweave.simulation.texts import LONGEST, Kept

BESIDE = 4
"""Arms that stand beside each other at most."""
_LINES = 12
"""Lines of a document that are shown: one of newlines only must not fill the page."""
_CAPTION = (
    f"The first documents that each model drew, cut at {LONGEST} characters; unfold one to see the training "
    "document nearest to it in the space of the evaluation. Twins are copies. One silo of the first seed; "
    "some training documents are its own rows, which is why only a simulation shows them."
)
_PROMPTS = {
    "own": "Each begins with the beginning of one of the silo's own documents.",
    "public": "Each begins with the beginning of a public document.",
}


@dataclass(frozen=True)
class Sheet:
    """Arms side by side.

    Attributes:
        arms: Name and colour of each.
        lines: Generation, and of each arm its documents, each with the training document nearest to it; of
            all arms once where they are the same, as in generation 0 of one base.
    """

    arms: tuple[tuple[str, str], ...]
    lines: tuple[tuple[int, tuple[tuple[tuple[str, str], ...], ...]], ...]


def sheets(kept: Kept, arms: Sequence[str]) -> list[Sheet]:
    """Return the documents as tables of at most four arms, as even as can be; none of other runs."""
    having = [arm for arm in arms if kept.get(arm)]
    if not having:
        return []
    colours = colour_of(list(arms))
    columns = -(-len(having) // -(-len(having) // BESIDE))
    blocks = [having[i : i + columns] for i in range(0, len(having), columns)]
    return [
        Sheet(
            tuple((arm, colours[arm]) for arm in block),
            tuple(
                (generation, _cells([kept[arm].get(generation, ()) for arm in block]))
                for generation in sorted({generation for arm in block for generation in kept[arm]})
            ),
        )
        for block in blocks
    ]


def caption(config: Mapping[str, Any]) -> str:
    """Say what is seen, and whose beginnings the documents have."""
    generator, arms = config.get("generator") or {}, config.get("arms") or []
    if any("prompts" in (arm.get("generator") or {}) for arm in arms):
        return _CAPTION
    return " ".join(filter(None, (_CAPTION, _PROMPTS.get(str(generator.get("prompts")), ""))))


def _cells(of_arms: Sequence[Sequence[Mapping[str, str]]]) -> tuple[tuple[tuple[str, str], ...], ...]:
    cells = tuple(
        tuple((shown(pair["generated"]), shown(pair["nearest"])) for pair in pairs) for pairs in of_arms
    )
    return cells[:1] if len(set(cells)) == 1 else cells


def shown(text: str) -> str:
    """Return a document as it may be shown: cut, in lines, with no character in it that does anything."""
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    lines = cut.expandtabs(4).splitlines()
    return "\n".join([visible(line) for line in lines[:_LINES]] + ["…"] * (len(lines) > _LINES))
