# SPDX-License-Identifier: Apache-2.0
"""What a silo's owner may read of every arm, whether the server is told of it or not: JSON on the node."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailweave.clients.storage import private_folder
from tailweave.protocols.whole_file import write_whole

OWN_HELD_OUT = "its own held-out rows"
"""A place where a number has seen own rows."""
REPORT = "report"
"""Folder of a run's reports, in its state folder."""


@dataclass(frozen=True)
class OwnerReport:
    """The report on one arm.

    Attributes:
        path: Its file, readable by the node's own user only.
        head: What every line begins with: arm, seed, silo, whether the server is told, and why not.
    """

    path: Path
    head: Mapping[str, Any]

    def write(self, generation: int, measured: Mapping[str, Mapping[str, float]]) -> None:
        """Write a generation's metrics, one line for each truth that they compare with.

        Lines of this and later generations, which a process left that was killed, are replaced.

        Args:
            generation: The generation.
            measured: Metrics by name, by what they were measured against, ``public`` or ``own``; of the first
                the server is told, if it is told of the arm.
        """
        lines = [line for line in read(self.path) if line.get("generation", generation) < generation]
        for place, (truth, row) in enumerate(measured.items()):
            kept = {"told": False, "seen": [*self.head["seen"], OWN_HELD_OUT]} if place else {}
            lines.append({**self.head, **kept, "generation": generation, "against": truth, **row})
        self._replace(lines)

    def failed(self, reason: str) -> None:
        """Write why the arm did not get on, in place of an earlier reason."""
        lines = [line for line in read(self.path) if "failed" not in line]
        self._replace([*lines, {**self.head, "failed": reason}])

    def _replace(self, lines: list[dict[str, Any]]) -> None:
        private_folder(self.path.parent)
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in lines), mode=0o600)


def read(path: Path) -> list[dict[str, Any]]:
    """Read one report; none that is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def reports(state: Path, run: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of all reports on one run, by seed, then by arm."""
    for path in sorted((state / run / REPORT).glob("seed-*/*.jsonl")):
        yield from read(path)
