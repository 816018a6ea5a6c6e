# SPDX-License-Identifier: Apache-2.0
"""What the sizes of classes mean for a run: labels that are none, classes that cannot be measured."""

from collections.abc import Sequence

from tailweave.clients.data.class_sizes import ClassSize, class_sizes
from tailweave.clients.data.silo import World
from tailweave.clients.metrics.modes import VOTED_MODES
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.report.wording import counted

MANY = 50
"""Classes from which on a note says what they cost."""
_FEW = 10
"""Fewer classes are never taken for an ID: some of them may be as rare as can be."""
_NAMED = 5


def check_classes(experiment: Experiment, world: World) -> None:
    """Refuse labels that tell rows apart instead of classes.

    Raises:
        ConfigError: If most of ten classes or more have a single row, with what to do.
    """
    sizes = class_sizes(world)
    alone = sum(size.rows == 1 for size in sizes)
    if len(sizes) < _FEW or 2 * alone <= len(sizes):
        return
    label, rows = getattr(experiment.data, "label", None), sum(size.rows for size in sizes)
    named = f"data.label: {label}" if label else "data: the labels"
    remedy = "remove data.label and declare the column as ignore" if label else "give fewer classes"
    raise ConfigError(
        f"{named} has {len(sizes):,} different values in {rows:,} rows, {alone:,} of them in one row only: "
        f"an ID or a number is no class: {remedy}, or group it"
    )


def notes_on_classes(world: World) -> list[str]:
    """Say that there are many classes, and which cannot be measured, each with its rows."""
    sizes, said = class_sizes(world), []
    if len(sizes) >= MANY:
        judge = f"; above {VOTED_MODES} the nearest true row judges" if len(sizes) > VOTED_MODES else ""
        said.append(
            f"the labels are of {len(sizes):,} classes: shares of each are measured and shown{judge}; if "
            "they are no classes, another column is the label, or none"
        )
    if lost := [size for size in sizes if not size.evaluation]:
        said.append(
            f"cannot be measured: {_named(lost)}; the truth needs a row of a class, and the silos another one"
        )
    return said


def _named(sizes: Sequence[ClassSize]) -> str:
    shown = ", ".join(f"{size.name} ({counted(size.rows, 'row')})" for size in sizes[:_NAMED])
    more = len(sizes) - _NAMED
    return f"classes {shown}" + (f" and {more:,} more" if more > 0 else "")
