# SPDX-License-Identifier: Apache-2.0
"""The outcome of one check, and how it is printed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "FAIL", "off", "skip"]


class NotRunning(Exception):  # noqa: N818 - not an error before the start
    """What a check looked for does not run, or not yet."""


@dataclass(frozen=True)
class Verdict:
    """One line of ``tailweave deploy check``.

    ``off`` is what does not run yet, ``skip`` what cannot be seen from here.
    """

    state: State
    subject: str
    check: str
    text: str
    remedy: str = ""


def judged(subject: str, check: str, remedy: str, look: Callable[[], str]) -> Verdict:
    """Look, and say what came of it.

    ``look`` returns what it found, or raises ``NotRunning``, or ``ValueError`` or ``OSError`` with the fault.
    """
    try:
        return Verdict("ok", subject, check, look())
    except NotRunning as absent:
        return Verdict("off", subject, check, str(absent), remedy)
    except (ValueError, OSError) as error:
        return Verdict("FAIL", subject, check, " ".join(str(error).split()), remedy)


def failed(verdicts: Sequence[Verdict], *, running: bool) -> bool:
    """Return whether any check failed; with ``running``, what does not run has failed."""
    return any(verdict.state == "FAIL" or (running and verdict.state == "off") for verdict in verdicts)


def lines(verdicts: Sequence[Verdict], *, running: bool) -> Iterator[str]:
    """Yield one line a check, then how many of them are not well."""
    for verdict in verdicts:
        state = "FAIL" if running and verdict.state == "off" else verdict.state
        remedy = f"; remedy: {verdict.remedy}" if verdict.remedy and state in ("FAIL", "off") else ""
        yield f"{state:<5}{verdict.subject:<16} {verdict.check:<13} {verdict.text}{remedy}"
    bad = sum(failed([verdict], running=running) for verdict in verdicts)
    off = sum(verdict.state == "off" for verdict in verdicts)
    waiting = f"; {off} not running yet (off)" if off and not running else ""
    yield f"{len(verdicts)} checks, {bad} failed{waiting}"
