# SPDX-License-Identifier: Apache-2.0
"""How much work an experiment is, counted from its configuration: fits, draws, messages, rows in memory."""

import math
from dataclasses import dataclass
from pathlib import Path

from tailweave.clients.data.silo import simulated_world
from tailweave.clients.samples import DataError
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.kinds.sources.base import AnySource

_REAL, _HALF = 8, 4
"""Bytes of a float64 and a float32."""


@dataclass(frozen=True)
class Sizes:
    """Rows that the experiment works on.

    Attributes:
        columns: p.
        public: Rows that the base is fitted on.
        evaluation: Held-out rows.
        missing: What the data source says is not there; None when sizes are the data's own.
    """

    columns: int
    public: int
    evaluation: int
    missing: str | None = None


def sizes(experiment: Experiment) -> Sizes:
    """Load the data and count; images and documents that are not there are counted as published or asked for.

    Raises:
        ValueError: If the data cannot be used, or are not there and nobody knows how many they are.
    """
    data = experiment.data
    try:
        world = simulated_world(data, experiment.silos, experiment.public, seed=experiment.seeds[0])
    except DataError as error:
        assumed = data.assumed(experiment.recursion.samples)
        if assumed is None or _there(data):
            raise
        public = round(assumed.rows * experiment.public.fraction)
        return Sizes(assumed.columns, public, assumed.evaluation, str(error))
    columns = len(world.train.columns)
    return Sizes(columns, len(world.public), len(world.evaluation))


def _there(data: AnySource) -> bool:
    path = getattr(data, "path", ".")
    return not isinstance(path, str) or Path(path).exists()


@dataclass(frozen=True)
class Workload:
    """What is done how often, over all arms, seeds and silos.

    Attributes:
        bases: Fits of a base.
        refits: Fits of a later generation.
        measured: Rows drawn to measure one generation.
        draws: Rows drawn in all.
        messages: Questions of the server.
        message_bytes: Of the largest question, without the base's parameters.
        row_bytes: Samples, features and candidates that one process holds at once, at least.
    """

    bases: int
    refits: int
    measured: int
    draws: int
    messages: int
    message_bytes: int
    row_bytes: int


def workload(experiment: Experiment, found: Sizes) -> Workload:
    """Count the work."""
    recursion, arms, seeds = experiment.recursion, len(experiment.arms), len(experiment.seeds)
    followed, silos = experiment.silos.followed, experiment.silos.count
    lines = arms * seeds * followed
    local = experiment.generator.start == "local"
    refits = lines * recursion.generations
    told = arms * seeds * experiment.silos.measured
    measured = experiment.evaluation.samples or found.evaluation
    releases = sum(arm.reference is not None and arm.reference.sees == "releases" for arm in experiment.arms)
    exchanges = math.ceil(
        recursion.generations / (experiment.federation.generations_per_message or recursion.generations)
    )
    dimension = experiment.features.reduces_to or found.columns
    draws = (
        refits * recursion.candidates
        + told * (recursion.generations + 1) * measured
        + seeds * experiment.generator.public_samples
    )
    return Workload(
        bases=seeds * (1 + local * arms * followed),
        refits=refits,
        measured=measured,
        draws=draws,
        messages=seeds * silos * (1 + releases) + lines * exchanges,
        message_bytes=_REAL
        * dimension
        * (found.columns if experiment.features.encoder is None else dimension),
        row_bytes=_row_bytes(experiment, found, dimension),
    )


def _row_bytes(experiment: Experiment, found: Sizes, dimension: int) -> int:
    """Rows twice (as drawn and as selected or stored), features, and what the widest reference holds."""
    candidates = experiment.recursion.candidates
    pool = max(_pool(experiment.recursion_of(arm)) for arm in experiment.arms)
    basis = max(arm.reference.numbers_a_candidate if arm.reference else 0 for arm in experiment.arms)
    rows = found.public + found.evaluation + 2 * candidates + pool
    return rows * found.columns * _REAL + candidates * (dimension * _REAL + basis * _HALF)


def _pool(recursion: RecursionSpec) -> int:
    """Return how many rows the last refit sees or is drawn from."""
    if recursion.paradigm == "replace":
        return recursion.samples
    one = recursion.candidates if recursion.paradigm == "accumulate-select" else recursion.samples
    return one * recursion.generations
