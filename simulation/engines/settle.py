# SPDX-License-Identifier: Apache-2.0
"""What became of a run on another process's ServerApp: its own words, or the end of its log."""

import re
from pathlib import Path

from tailweave.protocols.visible import visible
from tailweave.server.failure import RunFailed, raise_failure

_LAST_LINES = 12
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""Flower colours its lines."""


def settle(out: Path, status: str, log: Path, *, shared: str) -> None:
    """Return if the run was completed and its results are here.

    Args:
        out: Run folder.
        status: As Flower gives it.
        log: What the ServerApp printed.
        shared: What to do when the results are not here.

    Raises:
        ValueError: If what the ServerApp was given is wrong; in its own words.
        RunFailed: If it failed, was stopped, or wrote its results elsewhere.
    """
    raise_failure(out)
    if status == "finished:stopped":
        raise RunFailed("someone stopped the run; go on with --resume")
    if status != "finished:completed":
        raise RunFailed(f"Flower says {status}; the last words of {log}:\n{last_lines(log)}")
    if not (out / "metrics.jsonl").exists():
        raise RunFailed(f"the run was completed but {out} has no metrics: {shared}")


def last_lines(log: Path) -> str:
    """Return the end of a log, indented; says so if there is none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    kept = [visible(_COLOUR.sub("", line)) for line in lines if line.strip()][-_LAST_LINES:]
    return "\n".join(f"  {line}" for line in kept) or "  (nothing)"
