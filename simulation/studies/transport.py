# SPDX-License-Identifier: Apache-2.0
"""Study ``transport``: FedWaD's distance, the barycenter at each n, and the toy once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.transport import TransportSpec
from tailweave.simulation.paper.transport import barycenter_row, fedwad_rows, toy_row
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Task = tuple[Literal["fedwad", "barycenter", "toy"], int, int]
"""A protocol, a seed and n; the toy has those that were published."""


@implements(TransportSpec)
class TransportStudy(Study[TransportSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return FedWaD and every barycenter seed by seed, and the toy last."""
        found: list[Task] = []
        for seed in self.spec.seeds:
            found.append(("fedwad", seed, self.spec.samples))
            found += [("barycenter", seed, samples) for samples in self.spec.barycenter_samples]
        return [*found, ("toy", 0, 0)]

    def rows(self, task: Task) -> list[Row]:
        """Return a row a round of FedWaD, and one of anything else."""
        protocol, seed, samples = task
        if protocol == "fedwad":
            return fedwad_rows(seed, samples=samples, rounds=self.spec.rounds)
        return [toy_row() if protocol == "toy" else barycenter_row(seed, samples=samples)]

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw how far both protocols are from what is right."""
        from tailweave.simulation.paper.figures import draw_transport

        return {
            "transport": (
                "FedWaD: excess of the path through the support over the exact distance, a line a seed. "
                "Barycenter: distance to the closed form over its spread, falling as n grows.",
                draw_transport(rows),
            )
        }
