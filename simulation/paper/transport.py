# SPDX-License-Identifier: Apache-2.0
"""The transport study: FedWaD and Scheme II's barycenter where the right answer is known."""

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.pot import ot
from tailweave.protocols.streams import stream
from tailweave.protocols.transport.free_support import free_support
from tailweave.protocols.transport.projection import project
from tailweave.simulation.paper.fedwad import fedwad
from tailweave.simulation.paper.worlds import legacy_stream
from tailweave.simulation.run_folder import Row

SHIFT = 4.0
VARIANCE = 0.1
SUPPORT_SCALE = 10.0
"""Two Gaussians of variance 0.1 a coordinate, shifted by 4, first atoms N(0, 10^2 I).

Source: chosen here; a run of FedWaD's formulas (arXiv 2310.01973) with them is what ours is held against.
"""

MEANS = np.array([[2.0, 2.0], [-2.0, 2.0], [0.0, -3.0]])
"""Source: Barycenter_Convergence of arXiv 2606.13732's public code."""
COVARIANCES = np.array([[[1.0, 0.3], [0.3, 0.5]], [[0.4, -0.2], [-0.2, 0.9]], [[0.6, 0.0], [0.0, 0.2]]])
"""Chosen here, not commuting, so that the barycenter of the covariances is not their mean."""


def fedwad_rows(seed: int, *, samples: int, rounds: int) -> list[Row]:
    """Run FedWaD between two 2-D Gaussians with n = m = s.

    Returns:
        One row a round: the length of the path through the support at its start, in units of the rows; its
        excess over the exact W_2 of the pooled rows, as a share; and its largest rise up to here.

    Raises:
        ValueError: If ``seed`` is negative, or ``samples`` or ``rounds`` is not positive.
    """
    rng = stream(seed, "paper", "fedwad")
    left = np.sqrt(VARIANCE) * rng.standard_normal((samples, 2))
    right = np.sqrt(VARIANCE) * rng.standard_normal((samples, 2)) + np.array([SHIFT, 0.0])
    found = fedwad(left, right, SUPPORT_SCALE * rng.standard_normal((samples, 2)), rounds=rounds)
    exact = float(np.sqrt(project(left, right).cost_sq))
    lengths = np.array(found.lengths[:-1])
    rises = np.maximum.accumulate(np.diff(lengths, prepend=np.inf))
    return [
        {
            "protocol": "fedwad",
            "samples": samples,
            "seed": seed,
            "generation": number,
            "length": float(length),
            "rise": float(max(0.0, rise)),
            "excess": float(length / exact - 1.0),
        }
        for number, (length, rise) in enumerate(zip(lengths, rises, strict=True), start=1)
    ]


def barycenter_row(seed: int, *, samples: int) -> Row:
    """Compare the free-support barycenter of three 2-D Gaussians with POT's and with the closed form.

    Returns:
        One row: iterations; W_2 to POT's support as a share of the standard deviation of the closed form;
        Bures-Wasserstein distance of the support's Gaussian to the closed-form barycenter, the same share.

    Raises:
        ValueError: If ``seed`` is negative or ``samples`` is not positive.
    """
    rng = stream(seed, "paper", "barycenter", samples)
    silos = [rng.multivariate_normal(m, c, samples) for m, c in zip(MEANS, COVARIANCES, strict=True)]
    start = rng.standard_normal((samples, 2))
    ours = free_support(silos, np.ones(3), start)
    theirs = ot.lp.free_support_barycenter(silos, [ot.unif(samples)] * 3, start, numItermax=100)
    mean, covariance = ot.gaussian.bures_wasserstein_barycenter(MEANS, COVARIANCES)
    spread = float(np.sqrt(np.trace(covariance)))
    return {
        "protocol": "barycenter",
        "samples": samples,
        "seed": seed,
        "generation": 0,
        "iterations": len(ours.movement_sq),
        "to_pot": float(np.sqrt(project(ours.support, theirs).cost_sq)) / spread,
        "to_bures": _bures(ours.support, mean, covariance) / spread,
    }


def _bures(support: Floats, mean: Floats, covariance: Floats) -> float:
    found = np.cov(support, rowvar=False, bias=True)
    return float(ot.gaussian.bures_wasserstein_distance(support.mean(axis=0), mean, found, covariance))


def toy_row() -> Row:
    """Repeat the published convergence figure: one atom, halved towards the mean of three Gaussians' means.

    Returns:
        One row: the iteration at which the distance to the limit falls below 0.01, and that distance.

    Raises:
        ArithmeticError: If 100 halvings do not reach it.

    Source:
        Barycenter_Convergence of arXiv 2606.13732's public code: means as ``MEANS``, covariance .3 I,
        n = 100, seed 42, step .5, start (3, -3). Halving a single atom proves nothing about distributions.
    """
    draws = legacy_stream(42)
    silos = [draws.multivariate_normal(mean, 0.3 * np.eye(2), 100) for mean in MEANS]
    limit = np.mean([rows.mean(axis=0) for rows in silos], axis=0)
    atom = np.array([[3.0, -3.0]])
    for iteration in range(1, 100):
        atom = free_support(silos, np.ones(3), atom, step=0.5, iterations=1).support
        error = float(np.linalg.norm(atom[0] - limit))
        if error < 1e-2:
            return {
                "protocol": "toy",
                "samples": 100,
                "seed": 42,
                "generation": 0,
                "iterations": iteration,
                "error": error,
            }
    raise ArithmeticError("the toy barycenter must reach an error of 0.01 within 100 halvings")
