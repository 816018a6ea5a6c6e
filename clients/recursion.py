# SPDX-License-Identifier: Apache-2.0
"""Recursive retraining: generate candidates, select against the reference, refit, again and again."""

from dataclasses import dataclass

import numpy as np

from clients import generators
from clients.generators import Generator
from clients.selection import select
from protocols.arrays import Floats, Ints
from protocols.config.experiment import ArmSpec
from protocols.config.training import GeneratorSpec, RecursionSpec
from protocols.features import FeatureMap
from protocols.references import Reference
from protocols.streams import stream


@dataclass(frozen=True)
class Recursion:
    """What stays the same over all generations of one arm on one silo.

    Attributes:
        arm: Rule and reference options.
        generator: Kind and options of the model.
        options: Samples, candidates and paradigm.
        features: Public map into the space of comparison.
        reference: What the rule compares with; None for ``random``.
        seed: Root seed.
        silo: Name of the silo, part of every stream path; the arm is not, which pairs the arms.
    """

    arm: ArmSpec
    generator: GeneratorSpec
    options: RecursionSpec
    features: FeatureMap
    reference: Reference | None
    seed: int
    silo: str

    def rng(self, generation: int, purpose: str) -> np.random.Generator:
        """Return the stream of one purpose in one generation."""
        return stream(self.seed, "silo", self.silo, "generation", generation, purpose)


@dataclass(frozen=True)
class Stage:
    """Where a recursion stands.

    Attributes:
        generation: t.
        model: The generator fitted in generation t.
        pool: Rows that later generations may still see, shape (m, p), data units.
        fitted_on: Indices into the pool of the rows that the model was fitted on, shape (k,).
    """

    generation: int
    model: Generator
    pool: Floats
    fitted_on: Ints

    @property
    def training_rows(self) -> Floats:
        """The rows that the model was fitted on, shape (k, p), data units."""
        rows: Floats = self.pool[self.fitted_on]
        return rows


@dataclass(frozen=True)
class Pick:
    """The candidates of one generation and which of them were selected.

    Attributes:
        candidates: Shape (N, p), data units.
        features: The same in feature space, shape (N, d).
        selected: Indices, shape (n,).
    """

    candidates: Floats
    features: Floats
    selected: Ints


def step(recursion: Recursion, stage: Stage, real: Floats) -> tuple[Stage, Pick]:
    """Run one generation.

    Args:
        recursion: The fixed part.
        stage: Generation t - 1.
        real: The silo's own rows, shape (r, p); join the pool when ``include-real`` is set.

    Returns:
        Generation t, and what was generated and selected for it.

    Raises:
        ValueError: If generator or rule refuse their input.
    """
    t = stage.generation + 1
    options = recursion.options
    candidates = stage.model.sample(options.candidates, rng=recursion.rng(t, "candidates"))
    features = recursion.features(candidates)
    rng = recursion.rng(t, "select")
    chosen = select(recursion.arm.rule, recursion.reference, features, options.samples, rng=rng)
    pool = _pool(options, stage, candidates[chosen], real)
    fitted_on = _fitted_on(options, len(pool), rng=recursion.rng(t, "subsample"))
    model = generators.fit(recursion.generator, pool[fitted_on], rng=recursion.rng(t, "fit"))
    return Stage(t, model, pool, fitted_on), Pick(candidates, features, chosen)


def _pool(options: RecursionSpec, stage: Stage, selected: Floats, real: Floats) -> Floats:
    if options.paradigm != "replace" and stage.generation > 0:
        return np.concatenate([stage.pool, selected])
    return np.concatenate([real, selected]) if options.include_real else selected


def _fitted_on(options: RecursionSpec, pool: int, *, rng: np.random.Generator) -> Ints:
    """Return all of the pool; for ``accumulate-subsample`` n random rows, so that work stays the same."""
    if options.paradigm != "accumulate-subsample":
        return np.arange(pool)
    return np.sort(rng.choice(pool, size=options.samples, replace=False))


def begin(base: Generator, base_rows: Floats) -> Stage:
    """Return generation 0: the base generator and the rows that it was fitted on, shape (m, p)."""
    return Stage(0, base, base_rows, np.arange(len(base_rows)))
