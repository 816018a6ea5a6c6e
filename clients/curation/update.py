# SPDX-License-Identifier: Apache-2.0
"""What one round of curation and refitting makes of a density on a grid, exactly."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tailweave.clients.curation.nash_product import multiplied
from tailweave.clients.curation.preferences import check_candidates, preference_weights
from tailweave.protocols.arrays import Floats, matrix, probabilities

_STEP = 0.25
"""Of ln u; the trapezoid rule's error is about exp(-pi^2/step) for what is analytic in |Im ln u| < pi/2."""
_LOW, _BEYOND = -40.0, 5.0
"""The integrand falls as u below, and as exp(-u) where it is beyond all e^-r."""


class Curation:
    """A model of unlimited capacity, refitted on what Bradley-Terry choices keep of its own samples.

    Attributes:
        rewards: r of each preference at each point, the largest of each being 0, shape (R, n).
        weights: Share of the choices that each preference makes, shape (R,).
        candidates: K, of how many one is kept; None for the limit of many.
    """

    def __init__(self, rewards: ArrayLike, weights: ArrayLike, candidates: int | None = None) -> None:
        """Check what is given.

        Raises:
            ValueError: If rewards are empty or not finite, weights do not fit, or K is below 2.
        """
        found = matrix(rewards, "rewards")
        self.weights = preference_weights(weights, len(found))
        if candidates is not None:
            check_candidates(candidates)
        self.rewards = found - found.max(axis=1, keepdims=True)  # only differences count
        self.candidates = candidates

    def step(self, density: Floats) -> Floats:
        r"""Return the density of what is kept.

        For many candidates:

        .. math:: p'(x) = p(x) \sum_i w_i e^{r_i(x)} / Z_i, \quad Z_i = E_p[e^{r_i}]

        It is the update of ``nash_shares``, so it never lowers sum_i w_i log Z_i, and its limit from a
        density that is nowhere zero maximises that over all densities. For K candidates, of which x is one:

        .. math:: p'(x) = p(x) K \sum_i w_i E[R_i / (R_i + \sum_{j<K} e^{r_i(X_j)})]
                        = p(x) K \sum_i w_i \int_0^\infty R_i e^{-u R_i} \phi_i(u)^{K-1} du

        with R_i = e^{r_i(x)} and phi_i(u) = E_p[exp(-u e^{r_i})], as 1/s is the integral of exp(-s u).

        Args:
            density: p, masses of the points that sum to 1, shape (n,).

        Returns:
            p', shape (n,); for K candidates with a relative error of about 1e-12 (trapezoid rule in ln u).

        Raises:
            ValueError: If the density has another shape, or is no density.

        Source:
            arXiv 2605.07724, its curation step and large-K update. The integral is derived here.
        """
        p = probabilities(density, "density")
        if p.shape != self.rewards.shape[1:]:
            raise ValueError(f"density must have shape {self.rewards.shape[1:]}, got {p.shape}")
        if self.candidates is None:
            return multiplied(p, np.exp(self.rewards), self.weights)
        won = np.zeros(len(p))
        for weight, (survival, chance) in zip(self.weights, self._kernels, strict=True):
            won += weight * self.candidates * (chance @ (p @ survival) ** (self.candidates - 1))
        new: Floats = p * won
        new /= new.sum()
        return new

    @cached_property
    def _kernels(self) -> list[tuple[Floats, Floats]]:
        """For each preference exp(-u e^r), and e^r u exp(-u e^r) times the step of ln u: each (n, nodes)."""
        kernels = []
        for rewards in self.rewards:
            nodes = np.arange(_LOW, _BEYOND - rewards.min(), _STEP)  # ln u
            scaled = np.exp(rewards[:, None] + nodes)  # u e^r, (n, nodes)
            survival = np.exp(-scaled)
            kernels.append((survival, _STEP * scaled * survival))
        return kernels
