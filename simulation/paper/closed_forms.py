# SPDX-License-Identifier: Apache-2.0
"""What the Gaussian recursions do on average, without simulation."""

import numpy as np
from scipy.stats import chi2

from tailweave.protocols.arrays import Floats


def replace_ratio(samples: int, generations: int) -> Floats:
    r"""Expected Tr(S_t) / Tr(S_0) of replace: each refit loses one n-th, biased by division by n.

    .. math:: E[Tr S_t] / Tr S_0 = (1 - 1/n)^t

    Args:
        samples: n.
        generations: T.

    Returns:
        The ratio at t = 0..T, shape (T + 1,); the ridge of the fit is left out.

    Source:
        E of the maximum-likelihood covariance is (1 - 1/n) S, applied t times.
    """
    ratio: Floats = np.power(1.0 - 1.0 / samples, np.arange(generations + 1, dtype=np.float64))
    return ratio


def accumulate_ratio(samples: int, generations: int) -> Floats:
    r"""Expected Tr(S_t) / Tr(S_0) of accumulate.

    .. math:: E[Tr S_t] / Tr S_0 = \prod_{k=1}^t (1 - 1/(n k^2)) \to \sin(\pi/\sqrt n) / (\pi/\sqrt n)

    Args:
        samples: n.
        generations: T.

    Returns:
        The ratio at t = 0..T, shape (T + 1,).

    Source:
        Derived here. The batch at t has mean mu_{t-1} + e, E|e|^2 = Tr S_{t-1} / n, and expected scatter
        (n - 1) S_{t-1}. Merged into a pool of (t - 1) n rows around mu_{t-1} it gives the scatter
        ((t - 1) n + n - 1 + (t - 1) n n / (t n) / n) S_{t-1}, and division by t n leaves 1 - 1 / (n t^2).
    """
    steps = np.arange(1, generations + 1)
    ratio: Floats = np.concatenate([[1.0], np.cumprod(1.0 - 1.0 / (samples * steps**2.0))])
    return ratio


def decay_exponent(dimensions: int, alpha: float) -> float:
    r"""Exponent of the decay of accumulate + select for an unbiased verifier.

    .. math:: Tr S_t \sim t^{-\psi}, \psi = 1 - P(\chi^2_{d+2} \le q_\alpha) / \alpha

    with q_alpha the alpha-quantile of chi^2_d: keeping the alpha share nearest to the centre of N(0, s I)
    leaves the variance c s, c = P(chi^2_{d+2} <= q) / alpha = 1 - psi.

    Args:
        dimensions: d, at least 1.
        alpha: Share kept, in (0, 1].

    Returns:
        psi, in [0, 1).

    Raises:
        ValueError: If ``alpha`` is outside (0, 1] or ``dimensions`` is not positive.

    Source:
        Moments of a truncated normal (Tallis 1963, J. R. Stat. Soc. B 25:223). Derived here: as n grows the
        batch of variance (1 - psi) s_{t-1} is averaged into the pool, so s_t = s_0 prod_{k <= t} (1 - psi /
        k).
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be in (0, 1], got {alpha}")
    if dimensions < 1:
        raise ValueError(f"dimensions must be positive, got {dimensions}")
    return float(1.0 - chi2.cdf(chi2.ppf(alpha, dimensions), dimensions + 2) / alpha)
