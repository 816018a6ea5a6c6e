# SPDX-License-Identifier: Apache-2.0
"""The base generator of one seed: fitted on public rows, or read from the file that each node has."""

from pathlib import Path

from tailweave.clients import generators
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.samples import Samples
from tailweave.protocols.base_file import load_base
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.starts import BasePath
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.streams import stream


def base_generator(
    experiment: Experiment, public: Samples, seed: int, course: Course = NOTHING_BESIDE
) -> generators.Generator:
    """Return the base generator.

    Args:
        experiment: Says where it comes from; a file is the same for all seeds.
        public: Public rows; where the base comes from a file, only their sort is looked at.
        seed: Root seed.
        course: Whom the fit tells how far it is, and where it keeps an unfinished state.

    Returns:
        The generator.

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
        drawn = generators.from_arrays(spec, arrays).sample(1, rng=stream(seed, "base", "check"))
        if isinstance(spec, GaussianMixtureSpec) and len(arrays["weights"]) != spec.components:
            raise ValueError(
                f"{path}: has {len(arrays['weights'])} components, generator.components is {spec.components}"
            )
        if len(drawn.columns) != len(public.columns):
            raise ValueError(
                f"{path}: is of {len(drawn.columns)} columns, the data have {len(public.columns)}"
            )
    except ValueError as error:
        raise ConfigError(f"generator.start.path: {error}") from None
    return generators.from_arrays(spec, arrays, public.sort)
