# SPDX-License-Identifier: Apache-2.0
"""Everything that must be right before a run folder is made: data, silos, base generator, feature map."""

from dataclasses import dataclass
from pathlib import Path

from tailweave.clients import generators
from tailweave.clients.data.classes import classes_of
from tailweave.clients.data.silo import World, check_silo_size, simulated_world
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.starts import PARAMETER_LEAK
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.messages import rows_bucket
from tailweave.simulation.kits import fitted_kits, kit_path, opened, with_held_out
from tailweave.simulation.public_weights import check_carried


@dataclass(frozen=True)
class Prepared:
    """An experiment that can run.

    Attributes:
        experiment: As loaded.
        kits: Feature map and base generator for each seed.
        warnings: What the user should know although it does not stop the run.
    """

    experiment: Experiment
    kits: dict[int, PublicKit]
    warnings: tuple[str, ...]

    def save_kits(self, folder: Path) -> None:
        """Write ``seed-N.npz`` for each seed."""
        for seed, kit in self.kits.items():
            kit.save(kit_path(folder, seed))


def prepare(
    experiment: Experiment,
    *,
    silos_elsewhere: bool = False,
    kept: Path | None = None,
    course: Course = NOTHING_BESIDE,
    workers: int = 0,
) -> Prepared:
    """Load the data, cut the silos and fit the public kit of every seed, with one thread.

    With two, matrix products round otherwise and the same experiment would give another kit on another number
    of cores.

    Args:
        experiment: What is to be run.
        silos_elsewhere: The silos hold rows of their own: those that are cut here are not theirs, and
            nothing is said about their sizes.
        kept: Folder of this experiment's kits from an earlier attempt; those found are not fitted again.
        course: Whom the fit of a base tells how far it is, and where it keeps an unfinished state.
        workers: Processes that may fit bases of different seeds side by side; 0 or 1 for this one alone.

    Raises:
        ValueError: If the data cannot be read, or data, silos, features and generator do not fit together.
    """
    _check_sizes(experiment)
    smallest = min(_checked_rows(experiment, seed, elsewhere=silos_elsewhere) for seed in experiment.seeds)
    kits = {seed: opened(kept, seed) for seed in experiment.seeds if kept and kit_path(kept, seed).exists()}
    missing = [seed for seed in experiment.seeds if seed not in kits]
    for seed, kit in fitted_kits(experiment, missing, course, workers).items():
        world = _world(experiment, seed)
        kits[seed] = with_held_out(experiment, world, kit) if silos_elsewhere else kit
        if not silos_elsewhere:
            _check_prompts(experiment, world, kit)
    said = (
        *_warnings(experiment, None if silos_elsewhere else smallest),
        *_carried(experiment, kits, elsewhere=silos_elsewhere),
        *_levels_unseen(experiment, next(iter(kits.values()))),
    )
    return Prepared(experiment, kits, (*said, *_owners_alone(experiment)) if silos_elsewhere else said)


def _carried(experiment: Experiment, kits: dict[int, PublicKit], *, elsewhere: bool) -> list[str]:
    return check_carried(experiment, next(iter(kits.values())), elsewhere=elsewhere)


def _world(experiment: Experiment, seed: int) -> World:
    return simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)


def _checked_rows(experiment: Experiment, seed: int, *, elsewhere: bool) -> int:
    """Refuse silos that cannot take part, where they are those cut here; return the rows of the smallest."""
    world = _world(experiment, seed)
    _check_spread(world)
    rows = min(len(silo.train) for silo in world.silos)
    if not elsewhere:
        check_silo_size(world, experiment.privacy.min_cluster_size)
        _check_local_start(experiment, world)
        _check_fresh(experiment, world)
        _check_labels(experiment, world)
        _check_private_rows(experiment, rows)
    return rows


def _check_sizes(experiment: Experiment) -> None:
    fewest, option = experiment.generator.fewest_rows
    if fewest > experiment.recursion.samples:
        raise ConfigError(
            f"generator.{option} must be at most recursion.samples = {experiment.recursion.samples}, "
            f"got {fewest}"
        )


def _check_private_rows(experiment: Experiment, smallest: int) -> None:
    releasing = [arm for arm in experiment.arms if arm.reference and arm.reference.sees == "releases"]
    private = [arm.name for arm in releasing if experiment.privacy_of(arm).epsilon is not None]
    counted = rows_bucket(smallest)
    if private and counted < experiment.privacy.min_rows:
        raise ConfigError(
            f"the smallest silo holds {smallest} rows, which it counts as {counted} (1, 2 or 5 times a power "
            f"of ten), a private release (arm {private[0]}) needs "
            f"privacy.min-rows = {experiment.privacy.min_rows}"
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


def _levels_unseen(experiment: Experiment, kit: PublicKit) -> list[str]:
    """Say where a table has too many levels for their axes to be among the directions of a sketch."""
    space, said = kit.features.space(experiment.seeds[0]), []
    for arm in experiment.arms:
        directions = getattr(arm.reference, "directions", None)
        if directions is not None and not space.levels_fit(directions):
            said.append(
                f"arm {arm.name}: of reference.directions = {directions} none is a level's own, as the "
                f"{len(space.levels)} levels of the table's columns would take more than half of them; for "
                f"rare levels to be seen at once, set {2 * len(space.levels) + len(space.marked)} or more"
            )
    return said


def _check_prompts(experiment: Experiment, world: World, kit: PublicKit) -> None:
    """Refuse silos whose own rows are to begin what is drawn, where none of them will do."""
    asked = (experiment.generator_of(arm) for arm in experiment.arms)
    for spec in {one.model_dump_json(): one for one in asked if one.sees_own is not None}.values():
        base = generators.from_arrays(spec, kit.base, world.train.sort)
        for silo in world.silos:
            try:
                generators.primed(spec, base, generators.Around(silo.train, base, {}))  # shares come later
            except ValueError as error:
                raise ConfigError(f"{silo.name}, {spec.sees_own}: {error}") from None


def _check_spread(world: World) -> None:
    if world.evaluation.all_equal:
        raise ConfigError(
            f"data: the {len(world.evaluation)} evaluation rows are all equal, "
            "nothing can be measured by them"
        )


def _owners_alone(experiment: Experiment) -> list[str]:
    """Say which arms real silos measure for their owners alone, unless these allow more."""
    generator = experiment.generator
    everything = generator.start == "local" or experiment.evaluation.against == "own"
    names = [
        arm.name
        for arm in experiment.arms
        if everything
        or experiment.recursion_of(arm).include_real
        or experiment.generator_of(arm).sees_own is not None
        or (arm.reference is not None and arm.reference.sees == "own")
    ]
    if not names:
        return []
    return [
        f"{', '.join(names)}: the silos' own rows decide there, so their owners keep the numbers (they read "
        "them by tailweave deploy report) unless their policies say allow-own-metrics: true"
    ]


def _warnings(experiment: Experiment, smallest: int | None) -> tuple[str, ...]:
    said = []
    if experiment.privacy.epsilon is None:
        said.append("no differential privacy (privacy.epsilon is null): for simulation only")
    kinds = {arm.reference.kind for arm in experiment.arms if arm.reference and arm.reference.leaks}
    said += [f"reference {kind} {REFERENCES.kinds[kind].leaks}" for kind in sorted(kinds)]
    if experiment.generator.start == "federated":
        said.append(f"generator.start: federated {PARAMETER_LEAK}")
    said += _noise_kept(experiment)
    if smallest is not None and smallest < experiment.privacy.min_rows:
        said.append(
            f"the smallest silo holds {smallest} rows, a deployment refuses below privacy.min-rows = "
            f"{experiment.privacy.min_rows}"
        )
    return tuple(said)


def _noise_kept(experiment: Experiment) -> list[str]:
    """Say which arms keep what surprises a generator that draws at full temperature, its own noise too."""
    hot: dict[float, list[str]] = {}
    for arm in experiment.arms:
        temperature = getattr(experiment.generator_of(arm), "temperature", None)
        if arm.rule.keeps_surprise and temperature is not None and temperature >= 1.0:
            hot.setdefault(temperature, []).append(arm.name)
    return [
        f"{', '.join(arms)}: at generator.temperature = {temperature:g} a model's own noise is more "
        "surprising than human text, and a rule that keeps what surprises most keeps noise; it is meant for "
        "temperatures below 1"
        for temperature, arms in hot.items()
    ]
