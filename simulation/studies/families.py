# SPDX-License-Identifier: Apache-2.0
"""Study ``families``: one recursion a task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.families import FamiliesSpec, Family
from tailweave.simulation.paper.families import follow
from tailweave.simulation.paper.gaussian import SETTINGS, Recursion, Setting
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Task = tuple[Family, int, Setting, int]
"""A family, n, a setting and a seed."""


@implements(FamiliesSpec)
class FamiliesStudy(Study[FamiliesSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return every family, n, setting and seed."""
        spec = self.spec
        return [
            (family, samples, setting, seed)
            for family in spec.families
            for samples in spec.samples
            for setting in SETTINGS
            for seed in spec.seeds
        ]

    def rows(self, task: Task) -> list[Row]:
        """Return a row for each generation that is judged."""
        spec, (family, samples, setting, seed) = self.spec, task
        names = {"family": family, "setting": setting, "samples": samples, "seed": seed}
        at = range(0, spec.generations + 1, spec.judge_every)
        recursion = Recursion(samples, spec.alpha, spec.generations)
        found = follow(family, setting, seed, recursion, dimensions=spec.dimensions, at=at)
        return [names | row | {"generation": generation} for generation, row in zip(at, found, strict=True)]

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw the dispersion of every family."""
        from tailweave.simulation.paper.figures import draw_dispersion

        return {
            "dispersion": (
                "Dispersion over that of the truth, largest n. Lines: our mean over seeds with its 95 % "
                "interval; markers at the end: published.",
                draw_dispersion(self.spec, rows, self.claims()),
            )
        }
