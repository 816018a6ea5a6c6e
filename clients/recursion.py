# SPDX-License-Identifier: Apache-2.0
"""Recursive retraining: generate candidates, select against the reference, refit, again and again."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tailweave.clients import generators
from tailweave.clients.generators import Generator, Labeller, Likelihood
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.samples import Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import GeneratorSpec, RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.rules.base import CONFIDENCE, SURPRISE
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
        compared: The samples that the reference was made of, where it was made of samples here.
    """

    arm: ArmSpec
    generator: GeneratorSpec
    options: RecursionSpec
    features: FeatureMap
    reference: Reference | None
    seed: int
    silo: str
    course: Course = NOTHING_BESIDE
    compared: Samples | None = None

    def rng(self, generation: int, purpose: str) -> np.random.Generator:
        """Return the stream of one purpose in one generation."""
        return stream(self.seed, "silo", self.silo, "generation", generation, purpose)


@dataclass(frozen=True)
class Stage:
    """Where a recursion stands.

    Attributes:
        generation: t.
        model: The generator fitted in generation t.
        pool: Samples that later generations may still see; None where this node does not have them.
        fitted_on: Indices into the pool of the samples that the model was fitted on, shape (k,).
    """

    generation: int
    model: Generator
    pool: Samples | None
    fitted_on: Ints

    @property
    def training(self) -> Samples | None:
        """What the model was fitted on, as far as this node has it; the pool itself where it is all of it."""
        if self.pool is None or len(self.fitted_on) == len(self.pool):  # numbers differ and grow
            return self.pool
        return self.pool.take(self.fitted_on)


@dataclass(frozen=True)
class Pick:
    """What the rule chose from in one generation, and what it selected.

    Attributes:
        given: N candidates; for ``accumulate-select`` the whole pool.
        selected: Indices, shape (n,).
    """

    given: Candidates
    selected: Ints

    @property
    def candidates(self) -> Samples:
        """The N of them."""
        return self.given.samples

    def features_of(self, index: Ints) -> Floats:
        """Return some of them in feature space, shape (k, d); only these are mapped where no rule asked."""
        if "features" in vars(self.given):
            return self.given.features[index]
        return self.given.space(self.given.samples.take(index))


def step(recursion: Recursion, stage: Stage, real: Samples | None) -> tuple[Stage, Pick]:
    """Run one generation.

    Args:
        recursion: The fixed part.
        stage: Generation t - 1.
        real: The silo's own rows, which join the pool when ``include-real`` is set; None if it is not.

    Returns:
        Generation t, and what was generated and selected for it.

    Raises:
        ValueError: If generator or rule refuse their input.
    """
    t = stage.generation + 1
    options = recursion.options
    drawn = stage.model.sample(options.candidates, rng=recursion.rng(t, "candidates")).born_in(t)
    if options.paradigm == "accumulate-select":
        pool = _grown(options, stage, drawn, real)
        pick = _pick(recursion, stage.model, pool, t)
        fitted_on = np.sort(pick.selected)
    else:
        pick = _pick(recursion, stage.model, drawn, t)
        pool = _grown(options, stage, drawn.take(pick.selected), real)
        fitted_on = _fitted_on(options, len(pool), rng=recursion.rng(t, "subsample"))
    rng = recursion.rng(t, "fit")
    course, before = recursion.course, stage.model
    spec = recursion.generator
    model = generators.fit(spec, pool.take(fitted_on), rng=rng, previous=before, course=course)
    return Stage(t, model, pool, fitted_on), pick


def _pick(recursion: Recursion, model: Generator, candidates: Samples, generation: int) -> Pick:
    options, compared = recursion.options, recursion.compared
    space = recursion.features.space(recursion.seed)
    given = Candidates(
        candidates, recursion.features, options.samples, _scorers(model), compared, public=space
    )
    chosen = select(recursion.arm.rule, given, recursion.reference, rng=recursion.rng(generation, "select"))
    return Pick(given, chosen)


def _scorers(model: Generator) -> dict[str, Callable[[Samples], Floats]]:
    """Return what a model can say of a candidate, by the score's name."""
    scorers: dict[str, Callable[[Samples], Floats]] = {}
    if isinstance(model, Likelihood):
        scorers[SURPRISE] = _surprise(model)
    if isinstance(model, Labeller):
        scorers[CONFIDENCE] = model.confidence
    return scorers


def _surprise(model: Likelihood) -> Callable[[Samples], Floats]:
    """Return what says how unlikely a model finds samples: minus the log probability of each."""
    return lambda samples: -model.log_probabilities(samples)


def _grown(options: RecursionSpec, stage: Stage, new: Samples, real: Samples | None) -> Samples:
    """Return the pool with ``new`` at its end."""
    if options.paradigm != "replace" and stage.generation > 0:
        before = stage.pool
    else:
        before = real if options.include_real else None
    return new if before is None else Samples.joined([before, new])


def _fitted_on(options: RecursionSpec, pool: int, *, rng: np.random.Generator) -> Ints:
    """Return all of the pool; for ``accumulate-subsample`` n random rows, so that work stays the same."""
    if options.paradigm != "accumulate-subsample":
        return np.arange(pool)
    return np.sort(rng.choice(pool, size=options.samples, replace=False))


def begin(base: Generator, fitted_on: Samples | None) -> Stage:
    """Return generation 0: the base generator, and what it was fitted on where this node has that."""
    return Stage(0, base, fitted_on, np.arange(0 if fitted_on is None else len(fitted_on)))
