# SPDX-License-Identifier: Apache-2.0
"""Measuring one generation of an arm: for the answer, and on a real node for its owner too."""

import logging
from collections.abc import Mapping

from tailweave.clients import storage
from tailweave.clients.arm_run import ArmRun
from tailweave.clients.metrics import evaluate
from tailweave.clients.recursion import Stage
from tailweave.clients.samples import beside_nearest
from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import MODE_SHARE

logger = logging.getLogger("tailweave.clients")


def measure(run: ArmRun, stage: Stage, generated: Floats) -> dict[str, float]:
    """Measure fresh samples of a generation's model.

    On a real node the owner's report gets the numbers, and those against the silo's own held-out rows.

    Args:
        run: The arm.
        stage: The generation.
        generated: Fresh samples of its model, shape (m, p), data units.

    Returns:
        Metrics by name; those of training rows where the training rows are known.

    Raises:
        ValueError: If the generation cannot be measured; on a real node never because of its own held-out
            rows, unless they are all that there is to measure against.
    """
    space = run.space
    samples = space(generated)
    training = space(stage.training_rows) if len(stage.fitted_on) else None
    row = evaluate(run.ruler, samples, training)
    if run.simulated or run.seen:
        row |= _unseen_share(run, row)
    if run.question.recursion.include_real and training is not None:
        row["real_share"] = stage.real_share
    if training is not None and _wanted_as_images(run, stage.generation):
        path = run.folder / f"images-{stage.generation}.npz"
        storage.save(path, beside_nearest(space, generated, stage.training_rows, training))
    if not run.simulated:
        _tell_owner(run, stage.generation, row, (samples, training))
    return row


def _tell_owner(
    run: ArmRun, generation: int, row: Mapping[str, float], features: tuple[Floats, Floats | None]
) -> None:
    measured = {"public" if run.public_truth else "own": row}
    if run.public_truth:
        try:
            measured["own"] = evaluate(run.own_ruler, *features)
        except Exception as error:  # noqa: BLE001 - own rows decide nothing about the answer
            arm = run.question.arm.name
            logger.warning("arm %s: not measured against own held-out rows: %s", arm, error)
    run.report.write(generation, measured)


def _unseen_share(run: ArmRun, row: Mapping[str, float]) -> dict[str, float]:
    """Return the generated share of the classes that this silo has no row of, where classes are known."""
    labels = run.node.silo.train.labels
    if labels is None:
        return {}
    seen = {f"{MODE_SHARE}{label}" for label in labels}
    unseen = [value for name, value in row.items() if name.startswith(MODE_SHARE) and name not in seen]
    return {"unseen_share": sum(unseen)} if "modes_covered" in row else {}


def _wanted_as_images(run: ArmRun, generation: int) -> bool:
    """Tell whether samples are kept for the report; training rows stand beside them: simulation only."""
    if not run.simulated or run.node.silo.train.image is None:
        return False
    wanted = run.question.snapshots
    return generation in wanted or (generation == 0 and bool(wanted))
