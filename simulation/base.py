# SPDX-License-Identifier: Apache-2.0
"""The base generator of one seed: fitted on public rows, or read from the file that each node has."""

from pathlib import Path

from threadpoolctl import threadpool_limits

from tailweave.clients import generators
from tailweave.clients.data.silo import simulated_world
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.samples import Samples
from tailweave.protocols.base_file import load_base
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.starts import BasePath
from tailweave.protocols.streams import stream
from tailweave.simulation.memory import check_memory


def fitted_base(
    experiment: Experiment, seed: int | None = None, course: Course = NOTHING_BESIDE
) -> generators.Generator:
    """Fit the public base of one seed as a run does, for a file of it.

    Args:
        experiment: What the base is for.
        seed: One of the experiment's; None for the first.
        course: Whom the fit tells how far it is, and where it keeps an unfinished state.

    Raises:
        ValueError: If the data cannot be read, the seed is another one, the base is in a file already, or
            this machine has too little memory for it.
    """
    start, seeds = experiment.generator.start, experiment.seeds
    if isinstance(start, BasePath):
        raise ConfigError(f"generator.start: the base is in a file already, {start.path}: nothing to fit")
    if seed is not None and seed not in seeds:
        raise ConfigError(f"--seed must be one of the experiment's: {', '.join(map(str, seeds))}, got {seed}")
    chosen = seeds[0] if seed is None else seed
    world = simulated_world(experiment.data, experiment.silos, experiment.public, seed=chosen)
    check_memory(experiment.generator, len(world.public.columns))
    with threadpool_limits(1):  # as a run does, or products would round otherwise
        return base_generator(experiment, world.public, chosen, course)


def base_generator(
    experiment: Experiment, public: Samples, seed: int, course: Course = NOTHING_BESIDE
) -> generators.Generator:
    """Return the base generator: fitted on public rows (n, p), or read from the file that the spec names.

    Raises:
        ValueError: If the public rows are too few for it, or the file cannot be read or does not fit.
    """
    spec = experiment.generator
    if not isinstance(spec.start, BasePath):
        return generators.fit(spec, public, rng=stream(seed, "base", "fit"), course=course)
    path = Path(spec.start.path)
    try:
        kind, arrays = load_base(path)
        if kind != spec.kind:
            raise ValueError(f"{path}: holds a {kind[:60]}, generator.kind is {spec.kind}")
        if misfit := spec.misfit(arrays):
            raise ValueError(f"{path}: {misfit}")
        drawn = generators.from_arrays(spec, arrays).sample(1, rng=stream(seed, "base", "check"))
        if len(drawn.columns) != len(public.columns):
            raise ValueError(
                f"{path}: is of {len(drawn.columns)} columns, the data have {len(public.columns)}"
            )
    except ValueError as error:
        raise ConfigError(f"generator.start.path: {error}") from None
    return generators.from_arrays(spec, arrays, public.sort)
