# SPDX-License-Identifier: Apache-2.0
"""A noisy reference pulled towards the public one, so that selection does not chase noise."""

import numpy as np

from protocols.arrays import Floats, matrix


def shrink(noisy: Floats, public: Floats, noise_variance: Floats) -> Floats:
    r"""Pull each coefficient towards the public sketch by its signal share.

    .. math:: \hat\mu = \mu_{pub} + \frac{s^2}{s^2 + \nu^2} (\mu_{noisy} - \mu_{pub}),\quad
              s^2 = \max(0, \mathrm{mean}_l (\mu_{noisy} - \mu_{pub})^2 - \nu^2)

    A group is one coefficient j over all directions l. Without noise the noisy sketch comes back as it is.

    Args:
        noisy: Mean sketch, shape (L, J).
        public: Mean sketch of public samples, shape (L, J).
        noise_variance: nu^2 of the mean sketch, shape (L, J) or (J,), not negative.

    Returns:
        Shape (L, J); biased towards ``public``, with less squared error when the noise is large.

    Raises:
        ValueError: If shapes disagree, an entry is not finite or a variance is negative.

    Privacy:
        Post-processing of a release and of public samples; costs nothing.

    Source:
        Positive-part empirical Bayes: James & Stein (1961); Efron & Morris (1973), section 2.
    """
    noisy, public = matrix(noisy, "noisy sketch"), matrix(public, "public sketch")
    if public.shape != noisy.shape:
        raise ValueError(f"public sketch must have shape {noisy.shape}, got {public.shape}")
    if noise_variance.shape not in (noisy.shape, noisy.shape[1:]):
        raise ValueError(
            f"noise variance must have shape {noisy.shape} or {noisy.shape[1:]}, got {noise_variance.shape}"
        )
    nu_sq = np.broadcast_to(matrix(np.atleast_2d(noise_variance), "noise variance"), noisy.shape)
    if (nu_sq < 0).any():
        raise ValueError(f"noise variance must not be negative, got {nu_sq.min()}")
    gap = noisy - public
    signal_sq = np.maximum(0.0, (gap * gap - nu_sq).mean(axis=0))  # (J,)
    total = signal_sq + nu_sq
    share = np.divide(signal_sq, total, out=np.ones_like(total), where=total > 0)  # (L, J)
    pulled: Floats = public + share * gap
    return pulled
