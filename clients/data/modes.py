# SPDX-License-Identifier: Apache-2.0
"""A mixture of spherical unit Gaussians of known masses, some rare: a truth that is known exactly."""

import math
from dataclasses import dataclass

import numpy as np

from tailweave.clients.data.apportion import apportion
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.gaussian_modes import GaussianModes as GaussianModesSpec
from tailweave.protocols.streams import stream

GROWTH = 1.01
"""Widening of the cloud of means after each rejected draw: slow enough that modes stay packed."""


@dataclass(frozen=True, eq=False)
class GaussianModes:
    """The mixture sum_j masses[j] N(means[j], I).

    Attributes:
        means: Mode means, shape (m, d), in units of the within-mode standard deviation.
        masses: Mode masses, shape (m,), sum 1; the rare modes come last.
    """

    means: Floats
    masses: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the m modes: ``mode-00``, ``mode-01``, ..."""
        count = len(self.masses)
        width = max(2, len(str(count - 1)))
        return tuple(f"mode-{mode:0{width}d}" for mode in range(count))

    @property
    def covariances(self) -> Floats:
        """Mode covariances, shape (m, d, d): identities."""
        count, dimensions = self.means.shape
        return np.tile(np.eye(dimensions), (count, 1, 1))


def _unit_means(modes: int, dimensions: int) -> Floats:
    """Draw (m, d) means at pairwise distance >= 1, one at a time, widening the cloud at each rejection."""
    rng = stream(0, "gaussian-modes", modes, dimensions)
    deviation = 1.0 / math.sqrt(2.0 * dimensions)  # then the root mean squared distance of two draws is 1
    means = np.empty((0, dimensions))
    while len(means) < modes:
        draw = deviation * rng.standard_normal((1, dimensions))
        if (np.linalg.norm(means - draw, axis=1) >= 1.0).all():
            means = np.vstack([means, draw])
        else:
            deviation *= GROWTH
    # Late draws lie further out: without a shuffle the rare modes, which are last, would be the outliers.
    return rng.permutation(means)


def gaussian_modes(spec: GaussianModesSpec) -> GaussianModes:
    """Return the truth that a spec describes; it does not depend on any seed.

    Means are unit-separated points, fixed by ``modes`` and ``dimensions``, times ``separation``: any
    separation is reachable because the cloud widens until every mode has room.

    Args:
        spec: Modes, dimensions, masses and separation (in within-mode standard deviations).

    Returns:
        The mixture; the last ``rare-modes`` modes have mass ``rare-mass``, the others share the rest.

    Raises:
        DataError: If separation is not finite.
    """
    if not math.isfinite(spec.separation):
        raise DataError(f"separation must be finite, got {spec.separation}")
    common = spec.modes - spec.rare_modes
    common_mass = (1.0 - spec.rare_modes * spec.rare_mass) / common
    masses = np.repeat([common_mass, spec.rare_mass], [common, spec.rare_modes])
    return GaussianModes(spec.separation * _unit_means(spec.modes, spec.dimensions), masses)


def sample_modes(truth: GaussianModes, count: int, *, rng: np.random.Generator) -> Samples:
    """Draw rows, stratified by mode: each mode has its mass times ``count`` rows, rounded.

    Args:
        truth: The mixture, m modes in d dimensions.
        count: Number of rows n.
        rng: Source of randomness.

    Returns:
        Rows (n, d) in random order, labelled with the names of their modes.

    Raises:
        DataError: If a mode would have no row.
    """
    counts = apportion(count, truth.masses)  # (m,)
    if (counts == 0).any():
        mode = int(np.argmin(counts))
        raise DataError(
            f"rows must give every mode a row, {truth.names[mode]} of mass {truth.masses[mode]:g} has none: "
            f"use at least {math.ceil(1.0 / truth.masses.min())} rows, got {count}"
        )
    mode_of = rng.permutation(np.repeat(np.arange(len(counts)), counts))  # (n,)
    values = truth.means[mode_of] + rng.standard_normal((count, truth.means.shape[1]))
    return Samples.of(values, np.array(truth.names)[mode_of])


@implements(GaussianModesSpec)
def load(spec: GaussianModesSpec, *, seed: int) -> Samples:
    """Draw the rows of a run."""
    return sample_modes(gaussian_modes(spec), spec.rows, rng=stream(seed, "data", "rows"))
