# SPDX-License-Identifier: Apache-2.0
r"""A noisy reference pulled towards the public one, so that selection does not chase noise.

What a mean sketch can say beyond the public samples lies mostly in few dimensions: sketches of neighbouring
directions move together, while their noise does not. So the gap between the two is looked at, for each
coefficient, in the principal axes of the public samples' own features, strongest first, and each block of
axes keeps the share of it that is signal.
"""

from collections.abc import Iterator

import numpy as np

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import sliced

BLOCK = 16
"""Axes in the first two blocks; from there on blocks double."""
STANDARD_ERRORS = 3.0
"""A block's signal counts by how far it exceeds this many standard errors of noise alone."""
_ROWS = 1000
"""Most public samples that give axes; about 1 s for L = 512, J = 8."""


def shrink(
    noisy: Floats, noise_variance: Floats, samples: Floats, spec: SlicedReference, space: PublicSpace
) -> Floats:
    r"""Pull a noisy mean sketch towards the sketch of public samples, block by block, by its signal share.

    .. math:: \hat\mu = \mu_{pub} + \sum_B \frac{s_B^2}{s_B^2 + \nu^2} P_B (\mu_{noisy} - \mu_{pub}),\quad
              s_B^2 = \max(0,\; |P_B (\mu_{noisy} - \mu_{pub})|^2 / m - \nu^2 - 3 e_m),\quad
              e_m = \nu^2 \sqrt{2 / m}

    for each coefficient apart. P_B projects the L directions on m principal axes of the features of public
    samples (16, 16, 32, 64, ... of them), the last block on all that is left. Noise has variance nu^2 along
    any axis; signal sits on the first ones, since a truth that re-weights or shifts public samples moves the
    sketch by sums of their features. One block for all L directions would drown it: noise is nu^2 L in all,
    and nu^2 grows with L.

    Why 3 e_m: where the public sketch is right, |P_B gap|^2 / m - nu^2 is noise about 0 with standard error
    e_m (chi-square with m degrees of freedom). Half of the time it is positive, and a share of the noise
    would be let through that is little beside the noise, but many times the error of a good public sketch.
    Noise alone exceeds 3 e_m in one block of 16 in 130, and one of 256 in 390.

    Args:
        noisy: Mean sketch, shape (L, J) or (L, B).
        noise_variance: nu^2 of each coefficient of it, the same in all directions, shape (J,) or (B,).
        samples: Features of public samples, shape (M, d).
        spec: Basis, directions and range of the sketch.
        space: Public space; fixes directions, centre and scale.

    Returns:
        Shape of ``noisy``; never further from the public sketch. Biased towards it, with less squared error:
        about m nu^2 for the blocks with signal, as good as the public sketch when noise drowns all of them.
        A coefficient without noise comes back as it is.

    Raises:
        ValueError: If shapes disagree, an entry is not finite or a variance is negative.

    Privacy:
        Post-processing of a release and of public samples; costs nothing.

    Source:
        Positive-part empirical Bayes: James & Stein (1961); Efron & Morris (1973), section 2. Blocks with a
        margin: Cavalier & Tsybakov (2001), Math. Methods Statist. 10:247-282.
    """
    noisy = matrix(noisy, "noisy sketch")
    if noisy.shape != sliced.sketch_shape(spec):
        raise ValueError(f"noisy sketch must have shape {sliced.sketch_shape(spec)}, got {noisy.shape}")
    nu_sq = _variances(noise_variance, noisy.shape[1])
    public = sliced.summarise(samples, spec, space)
    pulled = public.sums / public.count  # (L, J)
    some = samples[:: -(-len(samples) // _ROWS)]  # evenly, as mixtures give their samples sorted by mode
    positions = space.project(some, space.directions(spec.directions), spec.range)  # (m, L)
    for j, variance in enumerate(nu_sq):
        pulled[:, j] += _signal(noisy[:, j] - pulled[:, j], variance, _features(positions, spec, j))
    return pulled


def _variances(noise_variance: Floats, coefficients: int) -> Floats:
    if noise_variance.shape != (coefficients,):
        raise ValueError(f"noise variance must have shape ({coefficients},), got {noise_variance.shape}")
    if not (np.isfinite(noise_variance).all() and (noise_variance >= 0.0).all()):
        raise ValueError(f"noise variance must be finite and not negative, got {noise_variance.tolist()}")
    return noise_variance


def _features(positions: Floats, spec: SlicedReference, j: int) -> Floats:
    """Return the basis function j of every position: (m, L) to (m, L)."""
    if spec.basis == "cosine":
        waves: Floats = np.cos(np.pi * (j + 1) * positions) / (j + 1)
        return waves
    inside = np.minimum(np.floor(positions * spec.bins), spec.bins - 1) == j  # 1 lies in the last bin
    indicators: Floats = inside.astype(np.float64)
    return indicators


def _signal(gap: Floats, nu_sq: float, features: Floats) -> Floats:
    """Return what of a gap (L,) is signal; ``features`` (m, L) are those of public samples."""
    if nu_sq == 0.0:
        return gap
    axes = _principal_axes(features - features.mean(axis=0))  # (r, L)
    parts = axes @ gap  # (r,)
    kept = np.zeros_like(gap)
    for block in _blocks(len(axes)):
        kept += _share(parts[block], nu_sq, parts[block].size) * (parts[block] @ axes[block])
    left = gap.size - len(axes)
    if left:
        rest = gap - parts @ axes
        kept += _share(rest, nu_sq, left) * rest
    return kept


def _principal_axes(centred: Floats) -> Floats:
    """Return orthonormal axes of rows (m, L) by the variance along them: all L of them, or m - 1 if fewer."""
    rows, directions = centred.shape
    if rows <= directions:
        axes: Floats = np.linalg.svd(centred, full_matrices=False)[2][: rows - 1]
        return axes
    upwards = np.linalg.eigh(centred.T @ centred)[1]  # ten times faster; exact enough for axes
    return upwards.T[::-1]


def _blocks(axes: int) -> Iterator[slice]:
    """Cut axes, the strongest first, into blocks of 16, 16, 32, 64, ...; the last takes a short remainder."""
    start, stop = 0, BLOCK
    while start < axes:
        stop = axes if axes - stop < BLOCK else stop
        yield slice(start, stop)
        start, stop = stop, 2 * stop


def _share(part: Floats, nu_sq: float, freedom: int) -> float:
    """Return the signal share of a part of the gap with so many degrees of freedom, in [0, 1)."""
    margin = nu_sq * (1.0 + STANDARD_ERRORS * float(np.sqrt(2.0 / freedom)))
    signal_sq = max(0.0, float(part @ part) / freedom - margin)
    return signal_sq / (signal_sq + nu_sq)
