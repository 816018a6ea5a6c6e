# SPDX-License-Identifier: Apache-2.0
"""The simulated worlds of an experiment, one a seed: what cannot be run on them is refused before any fit."""

from dataclasses import dataclass

from tailweave.clients.data.class_sizes import ClassSize, rarest_class
from tailweave.clients.data.classes import classes_of
from tailweave.clients.data.silo import World, check_silo_size, simulated_world
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.class_counts import check_classes
from tailweave.simulation.memory import check_candidates, check_memory
from tailweave.simulation.owners import check_owners


@dataclass(frozen=True)
class Facts:
    """What is worth knowing of one seed's world.

    Attributes:
        seed: The seed.
        smallest: Training rows of the smallest silo.
        draws: How often the partition was drawn until every silo had rows enough.
        evaluation: Rows that metrics compare with.
        rarest: The rarest class that can be measured; None where there are no classes.
    """

    seed: int
    smallest: int
    draws: int
    evaluation: int
    rarest: ClassSize | None


def world_of_seed(experiment: Experiment, seed: int) -> World:
    """Return the world that an experiment describes, for one seed."""
    return simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)


def check_worlds(experiment: Experiment, *, silos_elsewhere: bool = False) -> tuple[Facts, ...]:
    """Refuse an experiment that cannot be run on its data; nothing is fitted for it.

    Args:
        experiment: What is to be run.
        silos_elsewhere: The silos hold rows of their own: those that are cut here are not theirs, and
            nothing is said about them.

    Returns:
        What is worth knowing of each seed's world.

    Raises:
        ValueError: If the data cannot be read, data, silos and generator do not fit together, or the silos'
            owners would refuse what is asked of them.
    """
    _check_sizes(experiment)
    columns = len(world_of_seed(experiment, experiment.seeds[0]).train.columns)
    check_memory(experiment.generator, columns)
    for arm in experiment.arms:
        check_candidates(experiment.recursion_of(arm), columns)
    return tuple(_checked(experiment, seed, elsewhere=silos_elsewhere) for seed in experiment.seeds)


def _checked(experiment: Experiment, seed: int, *, elsewhere: bool) -> Facts:
    """Refuse silos that cannot take part, where they are those cut here."""
    world = world_of_seed(experiment, seed)
    _check_spread(world)
    check_classes(experiment, world)
    if not elsewhere:
        check_silo_size(world, experiment.privacy.min_cluster_size)
        _check_local_start(experiment, world)
        _check_fresh(experiment, world)
        _check_labels(experiment, world)
        check_owners(experiment, world)
    smallest = min(len(silo.train) for silo in world.silos)
    return Facts(seed, smallest, world.draws, len(world.evaluation), rarest_class(world))


def _check_sizes(experiment: Experiment) -> None:
    fewest, option = experiment.generator.fewest_rows
    if fewest > experiment.recursion.samples:
        raise ConfigError(
            f"generator.{option} must be at most recursion.samples = {experiment.recursion.samples}, "
            f"got {fewest}"
        )


def _check_local_start(experiment: Experiment, world: World) -> None:
    fewest, option = experiment.generator.fewest_rows
    smallest = min(world.silos, key=lambda silo: len(silo.train))
    if experiment.generator.start == "local" and fewest > len(smallest.train):
        raise ConfigError(
            f"generator.{option} must be at most the {len(smallest.train)} training rows of "
            f"{smallest.name}, which start: local fits it on, got {fewest}"
        )


def _check_fresh(experiment: Experiment, world: World) -> None:
    """Refuse an arm that keeps real samples alone where a silo has too few."""
    fewest, samples = min(len(silo.train) for silo in world.silos), experiment.recursion.samples
    for arm in experiment.arms:
        if arm.rule.chooses_among == "real" and fewest < samples:
            raise ConfigError(
                f"arm {arm.name}: rule {arm.rule.kind} keeps recursion.samples = {samples} real samples, the "
                f"smallest silo holds {fewest}"
            )


def _check_labels(experiment: Experiment, world: World) -> None:
    """Refuse silos whose models cannot learn to label, and classes that no model could ever name."""
    if not experiment.generator.labels:
        return
    classes = classes_of(world.train, f"generator {experiment.generator.kind}")
    held: set[str] = set()
    for silo in world.silos:
        own = classes_of(silo.train, f"generator {experiment.generator.kind}")
        held |= set(own)
        if len(own) < 2 and experiment.generator.start == "local":
            raise ConfigError(
                f"{silo.name} has labels of {len(own)} class ({', '.join(own)}), a model that learns to "
                "label needs two or more: more classes a silo, or more labelled rows"
            )
    _check_directions(experiment, len(classes))
    missing = [name for name in classes if name not in held]
    if missing:
        raise ConfigError(
            f"no silo has a labelled row of class {', '.join(missing[:10])}, so no silo's model can ever "
            "name it: more silos, another partition, or more labelled rows"
        )


def _check_directions(experiment: Experiment, classes: int) -> None:
    """Refuse a sketch of so few directions that the axes of the classes take them all."""
    for arm in experiment.arms if experiment.features.label_weight is not None else ():
        directions = getattr(arm.reference, "directions", None)
        if directions is not None and directions <= classes:
            raise ConfigError(
                f"arm {arm.name}: reference.directions must be more than the {classes} classes, whose axes "
                f"are among them, got {directions}"
            )


def _check_spread(world: World) -> None:
    if world.evaluation.all_equal:
        raise ConfigError(
            f"data: the {len(world.evaluation)} evaluation rows are all equal, "
            "nothing can be measured by them"
        )
