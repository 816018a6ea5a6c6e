# SPDX-License-Identifier: Apache-2.0
"""A finished run as its pages need it: each file is read once, and what follows from it is computed once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tailweave.simulation.measurements import Measurements
from tailweave.simulation.metric_rows import MetricRows
from tailweave.simulation.run_folder import Row, RunFolder
from tailweave.simulation.summary import measured, summarise


@dataclass(frozen=True)
class OpenRun:
    """A run folder, read as it is asked for; a ``ValueError`` names what is missing or broken."""

    folder: RunFolder

    @cached_property
    def config(self) -> Row:
        """The resolved configuration, keys in kebab-case."""
        return self.folder.config()

    @cached_property
    def made(self) -> Row:
        """Versions, engine and the like."""
        return self.folder.environment()

    @cached_property
    def wire(self) -> list[Row]:
        """One row per message that left a silo."""
        return self.folder.wire()

    @cached_property
    def table(self) -> Measurements:
        """All measurements."""
        return measured(MetricRows.read(self.folder.metrics_file()), self.config)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        found = summarise(self.table, self.config, wire=self.wire, events=self.folder.events())
        rarest = self.folder.rarest()
        named = {"run": str(self.made["run"])} if self.made.get("run") else {}
        return named | found | ({"rarest_mode": rarest} if rarest else {})
