# SPDX-License-Identifier: Apache-2.0
"""Generators whose training goes on from an average over silos: one contract, one class a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.special import logsumexp

from tailweave.clients.generators.gaussian import log_density
from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.parameters import model_of


class Trainable(Protocol):
    """What FedAvg asks of a generator; a neural one returns its weights as they are."""

    def parameters(self) -> dict[str, Floats]:
        """Return what may be averaged, weighted by rows."""
        ...

    def with_parameters(self, parameters: Mapping[str, Floats]) -> Self:
        """Return the same generator with other parameters."""
        ...

    def train(self, rows: Floats, *, rng: np.random.Generator, steps: int) -> Self:
        """Go on from here on rows (n, p), data units, for some steps of the kind's own length."""
        ...


@dataclass(frozen=True)
class _Moments:
    """A generator by its moments per row, which is what silos' parameters are averaged as."""

    spec: StartedSpec
    held: Mapping[str, Floats]

    def parameters(self) -> dict[str, Floats]:
        """Return the moments."""
        return dict(self.held)

    def with_parameters(self, parameters: Mapping[str, Floats]) -> Self:
        """Return the generator of other moments."""
        return type(self)(self.spec, parameters)


@dataclass(frozen=True)
class AveragedGaussian(_Moments):
    """A gaussian by its moments; one step is the whole fit, whatever it begins with.

    Attributes:
        spec: Kind and ridge.
        held: ``mean`` (p,) and ``second`` (p, p), see ``protocols.parameters``.
    """

    def train(self, rows: Floats, *, rng: np.random.Generator, steps: int) -> Self:
        """Return the gaussian of the rows; raises ``ValueError`` if they are not a finite matrix (n, p)."""
        rows = matrix(rows, "training rows", columns=self.held["mean"].size)
        return self.with_parameters({"mean": rows.mean(axis=0), "second": rows.T @ rows / len(rows)})


@dataclass(frozen=True)
class AveragedMixture(_Moments):
    """A mixture by the moments of its components; one step is one of EM, so that components correspond.

    Attributes:
        spec: Kind and ridge.
        held: ``weights`` (k,), ``firsts`` (k, p) and ``seconds`` (k, p, p), see ``protocols.parameters``.
    """

    def train(self, rows: Floats, *, rng: np.random.Generator, steps: int) -> Self:
        """Take steps of EM.

        Raises:
            ValueError: If rows are not a finite matrix (n, p), or the model has no proper covariances.

        Source:
            Dempster, Laird & Rubin (1977), J. R. Stat. Soc. B 39:1-38. With one step a round the average is
            the moment of all rows, so a round of FedAvg is one step of EM on the pooled rows.
        """
        rows, here = matrix(rows, "training rows", columns=self.held["firsts"].shape[1]), self
        for _ in range(steps):
            here = here.with_parameters(_moments(rows, responsibilities(here.spec, here.held, rows)))
        return here


def responsibilities(spec: StartedSpec, parameters: Mapping[str, Floats], rows: Floats) -> Floats:
    """Return the probability of each component for each row, shape (n, k).

    Args:
        spec: Kind and ridge.
        parameters: Moments of a mixture.
        rows: Shape (n, p), data units.

    Raises:
        ValueError: If a covariance is not positive definite.
    """
    model = model_of(spec, parameters)
    with np.errstate(divide="ignore"):
        logs = np.log(model["weights"])[None, :] + np.stack(
            [
                log_density(rows, mean, np.linalg.cholesky(covariance))
                for mean, covariance in zip(model["means"], model["covariances"], strict=True)
            ],
            axis=1,
        )  # (n, k)
    shares: Floats = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    return shares


def _moments(rows: Floats, shares: Floats) -> dict[str, Floats]:
    count = len(rows)
    seconds = np.stack([(rows * column[:, None]).T @ rows / count for column in shares.T])  # (k, p, p)
    return {
        "weights": shares.mean(axis=0),
        "firsts": shares.T @ rows / count,
        "seconds": (seconds + seconds.transpose(0, 2, 1)) / 2.0,
    }


def trainable(spec: StartedSpec, parameters: Mapping[str, Floats]) -> Trainable:
    """Return the generator of the kind that ``spec`` names, with these parameters."""
    return (AveragedGaussian if spec.kind == "gaussian" else AveragedMixture)(spec, parameters)
