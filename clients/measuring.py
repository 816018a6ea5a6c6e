# SPDX-License-Identifier: Apache-2.0
"""Measuring one generation of an arm: for the answer, and on a real node for its owner too."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from tailweave.clients import storage
from tailweave.clients.arm_run import ArmRun
from tailweave.clients.generators import Generator, Labeller
from tailweave.clients.generators.language_model import LanguageModel
from tailweave.clients.metrics import Training, Yardstick, evaluate
from tailweave.clients.metrics.brought import brought
from tailweave.clients.metrics.of_labels import of_labels
from tailweave.clients.metrics.of_table import of_table
from tailweave.clients.metrics.of_text import of_text
from tailweave.clients.metrics.text.choices import accuracy
from tailweave.clients.nearest_training import SHOWN_AS, beside_nearest
from tailweave.clients.recursion import Stage
from tailweave.clients.samples import Labels, Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import MODE_SHARE

logger = logging.getLogger("tailweave.clients")


@dataclass(frozen=True)
class Drawn:
    """Fresh samples of a generation's model.

    Attributes:
        model: The model.
        samples: m of them.
        features: The same in feature space, shape (m, d).
        training: Features of its training samples, shape (n, d), where these are known.
        own: Classes that the silo has rows of; None where nobody may know.
        labels: Labels of the silo's rows that have one; None where nobody may know.
        trained_on: Its training samples themselves, where these are known.
    """

    model: Generator
    samples: Samples
    features: Floats
    training: Floats | None
    own: frozenset[str] | None
    labels: Labels | None = None
    trained_on: Samples | None = None

    def beside(self, truth: Yardstick, known: Training | None = None) -> dict[str, float]:
        """Return all metrics of these beside a truth; those of other packages come last.

        Args:
            truth: What they are compared with.
            known: What this truth made of the training samples, where it has been made before.
        """
        row = evaluate(truth, self.features, known or self.training)
        if isinstance(self.model, LanguageModel):
            row |= of_text(self.model, self.samples, truth, row, self.own, self.training)
        if isinstance(self.model, Labeller):
            row |= of_labels(self.model, truth.samples, self.labels)
        if truth.table is not None:
            row |= of_table(self.samples, truth.table, self.trained_on)
        return row | brought(truth, self.samples, self.features)


def measure(run: ArmRun, stage: Stage, generated: Samples) -> dict[str, float]:
    """Measure fresh samples of a generation's model.

    On a real node the owner's report gets the numbers, and those against the silo's own held-out rows.

    Args:
        run: The arm.
        stage: The generation.
        generated: Fresh samples of its model, m of them.

    Returns:
        Metrics by name; those of training rows where the training rows are known.

    Raises:
        ValueError: If the generation cannot be measured; on a real node never because of its own held-out
            rows, unless they are all that there is to measure against.
    """
    space, training = run.space, stage.training
    rows = run.own_rows
    labels = None if rows is None or rows.labels is None else rows.labelled.labels
    own = None if labels is None else frozenset(str(label) for label in labels)
    known = run.node.public_training(space, run.question.seed) if run.of_public(training) else None
    seen = None if training is None else space(training) if known is None else known.rows
    drawn = Drawn(stage.model, generated, space(generated), seen, own, labels, training)
    row = drawn.beside(run.ruler, known)
    if isinstance(stage.model, LanguageModel) and run.questions:
        row["choice_accuracy"] = accuracy(run.questions, stage.model.ending_means)
    if own is not None:
        row |= _unseen_share(own, row)
    if training is not None:
        if run.question.recursion.include_real:
            row["real_share"] = float((training.born == 0).mean())
        if drawn.training is not None and _wanted_in_the_report(run, stage.generation):
            name = SHOWN_AS[generated.sort.name]
            kept = beside_nearest(generated, training, drawn.features, drawn.training)
            storage.save(run.folder / f"{name}-{stage.generation}.npz", kept)
    if not run.simulated:
        _tell_owner(run, stage.generation, row, drawn)
    return row


def _tell_owner(run: ArmRun, generation: int, row: Mapping[str, float], drawn: Drawn) -> None:
    measured = {"public" if run.public_truth else "own": row}
    if run.public_truth:
        try:
            measured["own"] = drawn.beside(run.own_ruler)
        except Exception as error:  # noqa: BLE001 - own rows decide nothing about the answer
            arm = run.question.arm.name
            logger.warning("arm %s: not measured against own held-out rows: %s", arm, error)
    run.report.write(generation, measured)


def _unseen_share(own: frozenset[str], row: Mapping[str, float]) -> dict[str, float]:
    """Return the generated share of the classes that a silo has no row of."""
    seen = {f"{MODE_SHARE}{label}" for label in own}
    unseen = [value for name, value in row.items() if name.startswith(MODE_SHARE) and name not in seen]
    return {"unseen_share": sum(unseen)} if "modes_covered" in row else {}


def _wanted_in_the_report(run: ArmRun, generation: int) -> bool:
    """Tell whether samples are kept for the report; training rows stand beside them: simulation only."""
    if not run.simulated or run.node.silo.train.sort.name not in SHOWN_AS:
        return False
    wanted = run.question.snapshots
    return generation in wanted or (generation == 0 and bool(wanted))
