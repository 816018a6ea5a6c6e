# SPDX-License-Identifier: Apache-2.0
"""Study ``gaussian``: the seeds of a task are advanced together, each in the published order of draws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.gaussian import GaussianSpec
from tailweave.protocols.streams import stream
from tailweave.simulation.paper.gaussian import SETTINGS, Recursion, Setting, Traces, trajectories
from tailweave.simulation.paper.worlds import Draws, isotropic_world, legacy_stream, published_world
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Task = tuple[str, int, tuple[int, ...]]
"""A world, n, and seeds that are advanced together."""


@implements(GaussianSpec)
class GaussianStudy(Study[GaussianSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return the largest n first, and the seeds in as many parts as there are workers."""
        spec = self.spec
        parts = [spec.seeds[i :: spec.workers] for i in range(min(spec.workers, len(spec.seeds)))]
        published = [("published", n, part) for n in sorted(spec.samples, reverse=True) for part in parts]
        return [*published, *(("isotropic", spec.isotropic_samples, part) for part in parts)]

    def rows(self, task: Task) -> list[Row]:
        """Return a row a setting, seed and generation."""
        spec, (world, samples, seeds) = self.spec, task
        recursion = Recursion(samples, spec.alpha, spec.generations)
        draws: list[Draws]
        settings: tuple[Setting, ...]
        if world == "published":
            legacy = [legacy_stream(seed) for seed in seeds]
            worlds = [published_world(one, dimensions=spec.dimensions) for one in legacy]
            draws, settings = list(legacy), SETTINGS
        else:
            worlds = [isotropic_world(spec.dimensions)] * len(seeds)
            draws = [stream(seed, "paper", "isotropic", samples) for seed in seeds]
            settings = ("accumulate+select",)
        rows: list[Row] = []
        for setting in settings:  # in the published order: one stream a seed feeds them all
            traces = trajectories(setting, worlds, draws, recursion)
            rows += _trace_rows({"world": world, "setting": setting, "samples": samples}, seeds, traces)
        return rows

    def ordered(self, rows: list[Row]) -> list[Row]:
        """Return them by what the study varies, whatever the number of workers was."""
        order = {name: place for place, name in enumerate((*SETTINGS, *self.spec.seeds))}
        return sorted(
            rows,
            key=lambda row: (
                row["world"] == "isotropic",
                row["samples"],
                order[row["setting"]],
                order[row["seed"]],
                row["generation"],
            ),
        )

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw the variance kept, and where the mean goes."""
        from tailweave.simulation.paper.figures import draw_errors, draw_variance

        return {
            "variance": (
                "Variance kept. Lines: our mean over seeds with its 95 % interval; markers: published "
                "mean ± SEM; dotted: closed forms, for accumulate+select that of an unbiased verifier.",
                draw_variance(self.spec, rows, self.claims()),
            ),
            "errors": (
                "Where the mean goes, largest n, with 95 % intervals over seeds: squared distance to "
                "the truth and to the biased target.",
                draw_errors(self.spec, rows),
            ),
        }


def _trace_rows(names: Row, seeds: Sequence[int], traces: Traces) -> list[Row]:
    columns = {
        "mean_error_sq": traces.mean_error_sq,
        "target_error_sq": traces.target_error_sq,
        "variance": traces.variance,
        "variance_ratio": traces.ratio,
    }
    return [
        names
        | {"seed": seed, "generation": t}
        | {name: float(values[place, t]) for name, values in columns.items()}
        for place, seed in enumerate(seeds)
        for t in range(traces.variance.shape[1])
    ]
