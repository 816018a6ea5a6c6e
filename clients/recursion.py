# SPDX-License-Identifier: Apache-2.0
"""Recursive retraining: generate candidates, select against the reference, refit, again and again."""

from dataclasses import dataclass

import numpy as np

from tailweave.clients import generators
from tailweave.clients.generators import Generator
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import GeneratorSpec, RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.references import Reference
from tailweave.protocols.streams import stream


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
        course: Whom a long fit tells how far it is, and where it keeps an unfinished state.
    """

    arm: ArmSpec
    generator: GeneratorSpec
    options: RecursionSpec
    features: FeatureMap
    reference: Reference | None
    seed: int
    silo: str
    course: Course = NOTHING_BESIDE

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
        born: Generation in which each row of the pool was generated, shape (m,); 0 for real rows.
    """

    generation: int
    model: Generator
    pool: Floats
    fitted_on: Ints
    born: Ints

    @property
    def real_share(self) -> float:
        """Share of real rows among those that the model was fitted on."""
        return float((self.born[self.fitted_on] == 0).mean())

    @property
    def training_rows(self) -> Floats:
        """The rows that the model was fitted on, shape (k, p), data units."""
        rows: Floats = self.pool[self.fitted_on]
        return rows


@dataclass(frozen=True)
class Pick:
    """What the rule chose from in one generation, and what it selected.

    Attributes:
        candidates: Shape (N, p), data units; for ``accumulate-select`` the whole pool.
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
    if options.paradigm == "accumulate-select":
        pool, born = _grown(options, stage, candidates, real)
        pick = _pick(recursion, pool, t)
        fitted_on = np.sort(pick.selected)
    else:
        pick = _pick(recursion, candidates, t)
        pool, born = _grown(options, stage, candidates[pick.selected], real)
        fitted_on = _fitted_on(options, len(pool), rng=recursion.rng(t, "subsample"))
    rng = recursion.rng(t, "fit")
    course, before = recursion.course, stage.model
    model = generators.fit(recursion.generator, pool[fitted_on], rng=rng, previous=before, course=course)
    return Stage(t, model, pool, fitted_on, born), pick


def _pick(recursion: Recursion, candidates: Floats, generation: int) -> Pick:
    given = Candidates(candidates, recursion.features, recursion.options.samples)
    chosen = select(recursion.arm.rule, given, recursion.reference, rng=recursion.rng(generation, "select"))
    return Pick(candidates, given.features, chosen)


def _grown(options: RecursionSpec, stage: Stage, new: Floats, real: Floats) -> tuple[Floats, Ints]:
    """Return the pool with ``new`` at its end, and in which generation each row was born."""
    born = np.full(len(new), stage.generation + 1)
    if options.paradigm != "replace" and stage.generation > 0:
        return np.concatenate([stage.pool, new]), np.concatenate([stage.born, born])
    if not options.include_real:
        return new, born
    return np.concatenate([real, new]), np.concatenate([np.zeros(len(real), dtype=np.int64), born])


def _fitted_on(options: RecursionSpec, pool: int, *, rng: np.random.Generator) -> Ints:
    """Return all of the pool; for ``accumulate-subsample`` n random rows, so that work stays the same."""
    if options.paradigm != "accumulate-subsample":
        return np.arange(pool)
    return np.sort(rng.choice(pool, size=options.samples, replace=False))


def begin(base: Generator, base_rows: Floats) -> Stage:
    """Return generation 0: the base generator and the rows that it was fitted on, shape (m, p)."""
    return Stage(0, base, base_rows, np.arange(len(base_rows)), np.zeros(len(base_rows), dtype=np.int64))
