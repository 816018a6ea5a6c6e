# SPDX-License-Identifier: Apache-2.0
"""How many rows each class has, in all and to measure by; which class is the rarest that can be measured."""

from collections import Counter
from dataclasses import dataclass

from tailweave.clients.data.classes import classes_of
from tailweave.clients.data.silo import World
from tailweave.clients.samples import Samples


@dataclass(frozen=True)
class ClassSize:
    """One class: rows in all, and those among them that metrics compare with."""

    name: str
    rows: int
    evaluation: int


def class_sizes(world: World) -> tuple[ClassSize, ...]:
    """Return all classes of a world in natural order; none where there are no labels."""
    both = [rows for rows in (world.train, world.evaluation) if rows.labels is not None]
    if not both:
        return ()
    everything, evaluation = Counter[str](), Counter[str]()
    for rows in both:
        everything.update(map(str, rows.labels if rows.labels is not None else ()))
    if world.evaluation.labels is not None:
        evaluation.update(map(str, world.evaluation.labels))
    names = classes_of(Samples.joined(both), "the truth")
    return tuple(ClassSize(name, everything[name], evaluation[name]) for name in names)


def rarest_class(world: World) -> ClassSize | None:
    """Return the class with the fewest rows of all that can be measured, ties by natural order of names.

    It is counted in all rows, not in those of one seed's evaluation, so it is the same class in every seed of
    data that does not depend on the seed.
    """
    measurable = [one for one in class_sizes(world) if one.evaluation]
    return min(measurable, key=lambda one: one.rows, default=None)
