# SPDX-License-Identifier: Apache-2.0
"""The models of the non-Gaussian study: tailweave's own Gaussian and mixture, and Laplace, which it has not.

A mixture is refitted from its present parameters, as published; tailweave's own begins each fit anew, so that
its components say nothing about those of the generation before.
"""

from dataclasses import dataclass

import numpy as np

from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.simulation.paper.expectation import go_on

RIDGE = 1e-6
"""Added to every fitted covariance diagonal and Laplace scale, as published."""


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace coordinates.

    Attributes:
        location: Shape (d,).
        scale: Mean absolute deviation, shape (d,); the variance is 2 scale^2.
    """

    location: Floats
    scale: Floats


Shape = Gaussian | Mixture | Laplace


def draw(model: Shape, count: int, *, rng: np.random.Generator) -> Floats:
    """Draw rows, shape (count, d); of a mixture component by component, in the published order of draws."""
    match model:
        case Gaussian():
            return model.sample(count, rng=rng).values
        case Mixture():
            shares = zip(rng.multinomial(count, model.weights), model.means, model.covariances, strict=True)
            return np.concatenate([draw(Gaussian(mu, cov), n, rng=rng) for n, mu, cov in shares if n])
        case Laplace():
            return rng.laplace(model.location, model.scale, (count, len(model.scale)))


def refit(model: Shape, rows: Floats) -> Shape:
    """Fit the same family to rows (n, d) by maximum likelihood, plus the ridge.

    A mixture takes at most 100 steps of EM; a component that no row belongs to any more stays, its weight
    near 0.
    """
    match model:
        case Gaussian():
            return Gaussian.fit(Samples.of(rows), ridge=RIDGE)
        case Mixture():
            return go_on(model, rows, ridge=RIDGE)
        case Laplace():
            location = np.median(rows, axis=0)
            return Laplace(location, np.abs(rows - location).mean(axis=0) + RIDGE)


def facts(model: Shape) -> dict[str, float]:
    """Return what a family alone can tell: smallest weight and entropy (nats) of weights, or mean scale."""
    match model:
        case Gaussian():
            return {}
        case Mixture():
            alive = model.weights[model.weights > 0]
            entropy = float(-(alive * np.log(alive)).sum()) + 0.0
            return {"smallest_weight": float(model.weights.min()), "weight_entropy": entropy}
        case Laplace():
            return {"mean_scale": float(model.scale.mean())}
