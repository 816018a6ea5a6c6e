# SPDX-License-Identifier: Apache-2.0
"""Everything that must be right before a run folder is made: data, silos, base generator, feature map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailweave.clients import generators
from tailweave.clients.data.silo import World
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.node import forget
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.starts import PARAMETER_LEAK
from tailweave.protocols.kit import PublicKit
from tailweave.simulation.class_counts import notes_on_classes
from tailweave.simulation.id_columns import notes_on_ids
from tailweave.simulation.inputs import check_inputs, inputs_of
from tailweave.simulation.kits import fitted_kits, kit_path, opened, with_held_out
from tailweave.simulation.public_weights import check_carried
from tailweave.simulation.worlds import Facts, check_worlds, world_of_seed


@dataclass(frozen=True)
class Prepared:
    """An experiment that can run.

    Attributes:
        experiment: As loaded.
        kits: Feature map and base generator for each seed.
        warnings: What the user should know although it does not stop the run.
        inputs: Digests of the rows and files that the run is made of.
        facts: Of the simulated silos' worlds; none where the silos hold rows of their own.
    """

    experiment: Experiment
    kits: dict[int, PublicKit]
    warnings: tuple[str, ...]
    inputs: Mapping[str, str]
    facts: tuple[Facts, ...] = ()

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
    began: Mapping[str, str] | None = None,
) -> Prepared:
    """Load the data anew, cut the silos and fit the public kit of every seed, with one thread.

    With two, matrix products round otherwise and the same experiment would give another kit on another number
    of cores.

    Args:
        experiment: What is to be run.
        silos_elsewhere: The silos hold rows of their own: those that are cut here are not theirs, and
            nothing is said about their sizes.
        kept: Folder of this experiment's kits from an earlier attempt; those found are not fitted again.
        course: Whom the fit of a base tells how far it is, and where it keeps an unfinished state.
        workers: Processes that may fit bases of different seeds side by side; 0 or 1 for this one alone.
        began: Digests of what an interrupted run began with.

    Raises:
        ValueError: If the data cannot be read, or data, silos, features and generator do not fit together, or
            are others than those that the run began with.
    """
    forget()
    inputs = inputs_of(experiment)
    check_inputs(experiment, began or {}, inputs, "--resume")
    facts = check_worlds(experiment, silos_elsewhere=silos_elsewhere)
    kits = {seed: opened(kept, seed) for seed in experiment.seeds if kept and kit_path(kept, seed).exists()}
    missing = [seed for seed in experiment.seeds if seed not in kits]
    for seed, kit in fitted_kits(experiment, missing, course, workers).items():
        world = world_of_seed(experiment, seed)
        kits[seed] = with_held_out(experiment, world, kit) if silos_elsewhere else kit
        if not silos_elsewhere:
            _check_prompts(experiment, world, kit)
    smallest = None if silos_elsewhere else min(one.smallest for one in facts)
    said = [
        *_warnings(experiment, smallest),
        *_carried(experiment, kits, elsewhere=silos_elsewhere),
        *_levels_unseen(experiment, next(iter(kits.values()))),
    ]
    world = world_of_seed(experiment, facts[0].seed)
    said += _measured_by(world)
    if silos_elsewhere:
        return Prepared(experiment, kits, (*said, *_owners_alone(experiment)), inputs)
    said += [*_drawn_again(experiment, facts), *notes_on_classes(world), *notes_on_ids(world)]
    return Prepared(experiment, kits, tuple(said), inputs, facts)


def _measured_by(world: World) -> list[str]:
    if not world.unmeasured:
        return []
    there = len(world.evaluation)
    return [
        f"{there + world.unmeasured:,} rows are held out, metrics compare with {there:,} of them, of each "
        "class its share"
    ]


def _drawn_again(experiment: Experiment, facts: Sequence[Facts]) -> list[str]:
    again = [f"{one.draws} times for seed {one.seed}" for one in facts if one.draws > 1]
    if not again:
        return []
    kind = experiment.silos.partition.kind
    return [f"partition {kind} was drawn {', '.join(again)}, until every silo had rows enough"]


def _carried(experiment: Experiment, kits: dict[int, PublicKit], *, elsewhere: bool) -> list[str]:
    return check_carried(experiment, next(iter(kits.values())), elsewhere=elsewhere)


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
