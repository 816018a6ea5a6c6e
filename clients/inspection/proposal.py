# SPDX-License-Identifier: Apache-2.0
"""What is proposed for one column, and how it is written as YAML."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

_PLAIN = re.compile(r"[^\W\d][\w-]*|[.~]{0,2}/?[\w./-]*/[\w./-]+|[^\W\d][\w.-]*")
_RESERVED = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
"""Words that some reader of YAML takes for no text."""

Value = str | float | bool | Sequence[str]


@dataclass(frozen=True)
class Proposal:
    """What a column seems to be.

    Attributes:
        spec: Keys and values of its entry in ``data.columns``, kind first.
        notes: What was noticed, for a comment.
    """

    spec: Mapping[str, Value]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind that is proposed."""
        return str(self.spec["kind"])

    def lacking(self, cells: Mapping[str, int]) -> "Proposal":
        """Return the same for a column in which cells are missing: how often each text stands for that."""
        if not cells or self.kind == "ignore":
            return self
        named = [text for text in cells if text]
        spec = {**self.spec, "optional": True, **({"missing": named} if named else {})}
        told = ", ".join(f"{times} {repr(text[:40]) if text else 'empty'}" for text, times in cells.items())
        return replace(self, spec=spec, notes=(*self.notes, f"missing: {told}"))

    def line(self, name: str) -> str:
        """Return the entry as one line of YAML, with the notes behind it."""
        entries = ", ".join(f"{key}: {written(value)}" for key, value in self.spec.items())
        entry = self.kind if len(self.spec) == 1 else f"{{{entries}}}"
        notes = f"  # {' '.join('; '.join(self.notes).split())}" if self.notes else ""
        return f"{written(name)}: {entry}{notes}"


def ignored(note: str) -> Proposal:
    """Propose that a column is not read."""
    return Proposal({"kind": "ignore"}, (note,))


def written(value: Value) -> str:
    """Write a value as YAML, within braces too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    return f"[{', '.join(map(_text, value))}]"


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _number(value: float) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    said = repr(float(value))
    return said if "." in said else said.replace("e", ".0e")  # without a point YAML takes 1e-05 for text
