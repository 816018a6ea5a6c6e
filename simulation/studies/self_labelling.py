# SPDX-License-Identifier: Apache-2.0
"""Study ``self-labelling``: a course of one rate and one repetition a task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.self_labelling import SelfLabellingSpec
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study
from tailweave.simulation.studies.label_course import Plan, check_classifier, check_sizes, follow
from tailweave.simulation.studies.labelled_rows import Pool, pool_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Task = tuple[int, float, int]
"""Place of the first size, rate, seed."""


@implements(SelfLabellingSpec)
class SelfLabellingStudy(Study[SelfLabellingSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return every start, rate and seed, once the data and the classifier are known to be there.

        Raises:
            DataError: If the data cannot be read, have no two classes, or are fewer than ``sizes`` ask for.
            ValueError: If there is no such classifier, or it does not take such inputs.
        """
        spec = self.spec
        pool = self._pool(spec.seeds[0])
        check_classifier(pool, spec.classifier)
        check_sizes(spec.sizes, len(pool.train), redraw=spec.redraw)
        starts = range(len(spec.sizes) if spec.starts == "every" else 1)
        return [(start, rate, seed) for start in starts for rate in spec.rates for seed in spec.seeds]

    def rows(self, task: Task) -> list[Row]:
        """Return a row a size."""
        spec, (start, rate, seed) = self.spec, task
        sizes = spec.sizes[start:]
        names: Row = {
            "data": spec.data.source,
            "classifier": spec.classifier.name,
            "first": sizes[0],
            "rate": rate,
            "seed": seed,
        }
        found = follow(self._pool(seed), Plan(sizes, rate, spec.redraw, spec.classifier), seed)
        return [names | row | {"last": row["size"] == sizes[-1]} for row in found]

    def ordered(self, rows: list[Row]) -> list[Row]:
        """Add, for each seed, start and size after the first, how accuracy depends on the rate."""
        return rows + slopes(rows)

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw accuracy against size and, at the end, against rate."""
        from tailweave.simulation.studies.label_figures import draw_accuracy, draw_break_even

        return {
            "accuracy": (
                "Accuracy on the test rows against the rows learned from, a line a rate: mean over seeds "
                "with its 95 % interval. Dotted: always naming the most frequent class. Markers: published.",
                draw_accuracy(rows, self.claims()),
            ),
            "rates": (
                "Left: accuracy at the last size against the rate; dotted, accuracy at the first size, where "
                "all labels are true: below it, more data have made the classifier worse. Right: share of "
                "training labels that are wrong, and of test rows given the class that is named most.",
                draw_break_even(rows),
            ),
        }

    def _pool(self, seed: int) -> Pool:
        return pool_of(self.spec.data, seed, data_seed=self.spec.seeds[0])


def slopes(rows: Sequence[Row]) -> list[Row]:
    r"""Fit accuracy on the rate by least squares, for each seed and size after the first.

    .. math:: b = \sum_r (r - \bar r) a_r / \sum_r (r - \bar r)^2

    Returns:
        A row each with ``slope``, accuracy a unit of rate: negative if a higher rate is worse; none where
        there is but one rate.
    """
    groups: dict[tuple[int, int, int], list[Row]] = {}
    for row in rows:
        if row["generation"]:
            groups.setdefault((row["first"], row["seed"], row["generation"]), []).append(row)
    found = []
    for group in groups.values():
        rates = np.array([row["rate"] for row in group])
        if len(rates) > 1:
            away = rates - rates.mean()
            slope = away @ np.array([row["accuracy"] for row in group]) / (away @ away)
            kept = ("data", "classifier", "first", "seed", "generation", "size", "last")
            found.append({key: group[0][key] for key in kept} | {"slope": float(slope)})
    return found
