# SPDX-License-Identifier: Apache-2.0
"""Rule x reference: how much of the differences between arms is due to which."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.simulation.measurements import Estimate, estimate
from tailweave.simulation.paper.orders import Arms
from tailweave.simulation.report.wording import listed, metric, number

ORDER = ("local", "barycenter", "geodesic", "quantized", "sliced", "oracle")
"""Kinds of reference from the silo's own rows to the truth."""
TITLES: Mapping[str, str] = {
    "local": "own rows",
    "barycenter": "barycenter",
    "geodesic": "geodesic",
    "quantized": "quantized",
    "sliced": "sliced",
    "oracle": "the truth",
}


@dataclass(frozen=True)
class Crossing:
    """The combinations that a run holds.

    Attributes:
        arms: The run.
        rules: Rules that have a reference, in the order of the configuration.
        references: Kinds of reference, from own rows to the truth.
    """

    arms: Arms
    rules: tuple[str, ...]
    references: tuple[str, ...]

    @staticmethod
    def of(arms: Arms) -> "Crossing":
        """Find the rules and references of a run."""
        picks = [(rule, kind) for rule, kind in arms.names if kind is not None]
        kinds = {kind for _, kind in picks}
        known = [kind for kind in ORDER if kind in kinds]
        return Crossing(
            arms,
            tuple(dict.fromkeys(rule for rule, _ in picks)),
            (*known, *sorted(kinds - set(known))),
        )

    @property
    def shared(self) -> tuple[str, ...]:
        """References that every rule was run on."""
        return tuple(k for k in self.references if all((rule, k) in self.arms.names for rule in self.rules))

    def cube(self, name: str) -> Floats | None:
        """Return a metric at the last generation, shape (seeds, rules, shared references).

        None if rules or shared references are fewer than two, or a seed lacks a value.
        """
        if min(len(self.rules), len(self.shared)) < 2:
            return None
        cells = [[self.arms.values((rule, kind), name) for kind in self.shared] for rule in self.rules]
        seeds = sorted(set.intersection(*(set(cell) for row in cells for cell in row)))
        if not seeds:
            return None
        return np.array([[[cell[seed] for cell in row] for row in cells] for seed in seeds])


@dataclass(frozen=True)
class Shares:
    """Parts of the sum of squares over a table of rules and references; they sum to 1.

    Attributes:
        reference: Of the column means.
        rule: Of the row means.
        interplay: What is left: that a rule needs a reference of its kind, and chance.
    """

    reference: Estimate
    rule: Estimate
    interplay: Estimate


def shares(cube: Floats) -> Shares | None:
    r"""Split the differences between combinations in two.

    .. math:: \sum_{ij} (v_{ij} - v)^2 = I \sum_j (v_{\cdot j} - v)^2 + J \sum_i (v_{i \cdot} - v)^2 + rest

    Args:
        cube: One table a seed, shape (seeds, I rules, J references), any unit.

    Returns:
        Means of the parts over seeds; ``None`` if a seed's combinations are all equal.

    Source:
        Two-way analysis of variance without replication, Fisher (1925).
    """
    if (cube == cube[:, :1, :1]).all(axis=(1, 2)).any():  # the mean of equal numbers may miss them
        return None
    centred = cube - cube.mean(axis=(1, 2), keepdims=True)
    total = (centred**2).sum(axis=(1, 2))
    by_reference = cube.shape[1] * (centred.mean(axis=1) ** 2).sum(axis=1) / total
    by_rule = cube.shape[2] * (centred.mean(axis=2) ** 2).sum(axis=1) / total
    return Shares(estimate(by_reference), estimate(by_rule), estimate(1.0 - by_reference - by_rule))


def sentences(crossing: Crossing) -> list[str]:
    """Say what the reference does and what the rule does, a sentence or two a metric, if there are enough."""
    said = []
    for name, scale in _SCALES.items():
        cube = crossing.cube(name)
        parts = None if cube is None else shares(scale(cube))
        if cube is not None and parts is not None:
            title = metric(name).title.capitalize() + (" (its logarithm)" if scale is np.log else "")
            said.append(
                f"{title}: of the differences between the "
                f"{cube.shape[1] * cube.shape[2]} combinations of {listed(crossing.rules)} with "
                f"{listed([TITLES.get(k, k) for k in crossing.shared])}, {_part(parts.reference)} are due to "
                f"the reference, {_part(parts.rule)} to the rule, and {_part(parts.interplay)} to how "
                f"the two meet, and to chance. {_moves(crossing, cube, name)}"
            )
    return [*said, *_threshold(crossing)]


_SCALES: Mapping[str, Callable[[Floats], Floats]] = {"coverage": np.asarray, "frechet": np.log}
"""Fréchet distances differ by factors, so their logarithms are compared."""


def _part(found: Estimate) -> str:
    half = "" if found.half is None else f" ± {number(100 * found.half, 0)}"
    return f"{number(100 * found.mean, 0)}{half} %"


def _moves(crossing: Crossing, cube: Floats, name: str) -> str:
    """Say how far the mean moves from the worst to the best reference, and to the best rule."""
    sign = -1.0 if metric(name).better == "lower" else 1.0
    kinds = [TITLES.get(kind, kind) for kind in crossing.shared]
    ends = []
    for names, means in ((kinds, cube.mean(axis=(0, 1))), (crossing.rules, cube.mean(axis=(0, 2)))):
        worst, best = int(np.argmin(sign * means)), int(np.argmax(sign * means))
        ends.append(
            f"from {number(means[worst], 3)} ({names[worst]}) to {number(means[best], 3)} ({names[best]})"
        )
    return f"Mean over rules, by reference: {ends[0]}; mean over references, by rule: {ends[1]}."


def _threshold(crossing: Crossing) -> list[str]:
    """Say on which references a rule keeps as much coverage as no selection."""
    floor = crossing.arms.end(("random", None), "coverage")
    if floor is None:
        return []
    above = {
        kind: [
            rule
            for rule in crossing.rules
            if (end := crossing.arms.end((rule, kind), "coverage")) is not None and end.mean > floor.mean
        ]
        for kind in crossing.references
    }
    parts = [f"{TITLES.get(kind, kind)}: {listed(rules)}" for kind, rules in above.items()]
    return [
        f"Rules whose mean coverage is above that of random selection ({number(floor.mean, 3)}), by "
        f"reference: {'; '.join(parts)}."
    ]


def same_picks(rules: Sequence[str], references: Sequence[str]) -> str:
    """Say which combinations are the same rule by construction; empty if there are none."""
    if not {"nash", "top-potential"} <= set(rules):
        return ""
    alike = [TITLES.get(kind, kind) for kind in references if kind not in ("geodesic", "sliced")]
    return (
        f"On {listed(alike)} there is one utility only, so nash makes the same pick as top-potential: in the "
        "shares above the cut counts twice."
        if alike
        else ""
    )


def spread(found: Estimate, digits: int = 3) -> str:
    """Format the half-width of an interval; empty with one seed."""
    return "" if found.half is None else f"± {number(found.half, digits)}"
