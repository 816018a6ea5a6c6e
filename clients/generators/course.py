# SPDX-License-Identifier: Apache-2.0
"""What goes on beside a long fit: telling how far it is, keeping what is unfinished, staying off the net."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Course:
    """Whom a fit tells of its steps, and where it keeps what it has.

    Attributes:
        tell: Called with the number of steps done and the number of all.
        unfinished: A file for the state of an unfinished fit; None keeps nothing.
        keep_seconds: How long a fit may go on before it keeps its state again.
        offline: Whether a pretrained base must be on this machine already.
    """

    tell: Callable[[int, int], None] | None = None
    unfinished: Path | None = None
    keep_seconds: float = 60.0
    offline: bool = False


NOTHING_BESIDE = Course()
