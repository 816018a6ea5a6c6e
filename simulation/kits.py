# SPDX-License-Identifier: Apache-2.0
"""The public kits of an experiment: fitted here, or for several seeds side by side, or read back."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from tailweave.clients.data.silo import World, simulated_world
from tailweave.clients.features import fit_features, received_features
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.metrics.text.choices import read_questions, written
from tailweave.clients.samples import TEXT
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.streams import stream
from tailweave.protocols.texts import packed
from tailweave.simulation.base import base_generator
from tailweave.simulation.worker_life import side_by_side

_HELD_OUT_ROWS = 2000
"""Most public rows that are sent to real silos to measure against: exact transport goes so far."""


def kit_path(folder: Path, seed: int) -> Path:
    """Return where the kit of a seed lies."""
    return folder / f"seed-{seed}.npz"


def fitted_kits(
    experiment: Experiment, seeds: Sequence[int], course: Course, workers: int
) -> dict[int, PublicKit]:
    """Fit the kits of some seeds; those whose base trains for long side by side, where there are workers.

    Args:
        experiment: What is to be run.
        seeds: Of the kits.
        course: Whom a fit tells how far it is (side by side: how many are done), and where it keeps an
            unfinished state.
        workers: Processes.

    Raises:
        ValueError: As ``fit_kit``.
        RunFailed: If a process died.
    """
    if workers < 2 or len(seeds) < 2 or not experiment.generator.in_steps:
        return {seed: _fitted(experiment, seed, course) for seed in seeds}
    found = {}
    remedy = "try again, with fewer --workers if memory ran out"
    with TemporaryDirectory() as place:
        folder = Path(place)
        tasks = {seed: _Fit(experiment, seed, _course_of(course, seed), folder) for seed in seeds}
        for seed, _ in side_by_side(_fit_into, tasks, workers, remedy):
            found[seed] = opened(folder, seed)
            if course.tell is not None:
                course.tell(len(found), len(seeds))
    return {seed: found[seed] for seed in seeds}


class _Fit(NamedTuple):
    """What is fitted in another process, and the folder that the kit goes into."""

    experiment: Experiment
    seed: int
    course: Course
    folder: Path


def _course_of(course: Course, seed: int) -> Course:
    """Return the course of one of several fits: a function cannot go to another process."""
    path = course.unfinished
    apart = None if path is None else path.with_name(f"{path.stem}-{seed}{path.suffix}")
    return replace(course, tell=None, unfinished=apart)


def _fit_into(task: _Fit) -> None:
    _fitted(task.experiment, task.seed, task.course).save(kit_path(task.folder, task.seed))


def _fitted(experiment: Experiment, seed: int, course: Course) -> PublicKit:
    world = simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)
    with threadpool_limits(1):
        return fit_kit(experiment, world, seed, course)


def opened(folder: Path, seed: int) -> PublicKit:
    """Read the kit of a seed, with encoders that can be called."""
    kit = PublicKit.load(kit_path(folder, seed))
    evaluation = received_features(kit.evaluation.arrays()) if kit.evaluation else None
    return replace(kit, features=received_features(kit.features.arrays()), evaluation=evaluation)


def with_held_out(experiment: Experiment, world: World, kit: PublicKit) -> PublicKit:
    """Return the kit with held-out rows of the public data, where the silos are to measure against them."""
    if experiment.evaluation.against == "own":
        return kit
    rows = world.evaluation
    some = np.linspace(0, len(rows) - 1, min(len(rows), _HELD_OUT_ROWS)).round().astype(np.int64)
    shown = rows.take(some)
    held_out = {"features": (kit.evaluation or kit.features)(shown)}
    if shown.sort == TEXT:
        held_out["texts"] = packed(shown.values.tolist())
    if shown.sort.name == "table":
        held_out["rows"] = shown.values
    return replace(kit, held_out=held_out)


def fit_kit(experiment: Experiment, world: World, seed: int, course: Course = NOTHING_BESIDE) -> PublicKit:
    """Make the public base generator and, on its samples, the feature map.

    Raises:
        ValueError: If the public share is too small for the generator, or dimensions exceed the columns.
    """
    columns = len(world.train.columns)
    wanted = experiment.features.reduces_to
    if wanted is not None and wanted > columns and experiment.features.encoder is None:
        raise ConfigError(f"features.dimensions must be at most the data's {columns} columns, got {wanted}")
    base = base_generator(experiment, world.public, seed, course)
    samples = base.sample(experiment.generator.public_samples, rng=stream(seed, "base", "features"))
    features = fit_features(
        experiment.features, samples, world.public, base=base, rng=stream(seed, "features")
    )
    names = world.train.columns if experiment.data.columns_named else ()
    measure, evaluation = experiment.evaluation.features, None
    if measure is not None and measure != experiment.features:
        rng = stream(seed, "evaluation", "features")
        evaluation = fit_features(measure, samples, world.public, base=base, rng=rng)
    questions = _questions(experiment)
    return PublicKit(features, base.arrays(), features(samples), names, evaluation, questions=questions)


def _questions(experiment: Experiment) -> Floats | None:
    """Read multiple-choice questions; raises ``DataError`` naming the line of one that is none."""
    path = experiment.evaluation.choices
    return None if path is None else packed(written(read_questions(path)))
