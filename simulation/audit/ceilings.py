# SPDX-License-Identifier: Apache-2.0
r"""How well any membership attack can do against Gaussian noise, from theory.

With noise sigma = z D, D the L2 sensitivity to one row added or removed, a release is 1/z-Gaussian
differentially private: telling its two distributions apart is at most as easy as N(0, 1) from N(mu, 1), where

.. math:: \mu = 1/z, \quad AUC = \Phi(\mu/\sqrt2), \quad TPR(\alpha) = \Phi(\Phi^{-1}(\alpha) + \mu).

Where the number of rows is known and fixed (one row replaced by another) two rows of unrelated features lie
sqrt(2) D apart, so mu becomes sqrt(2) mu.

Source:
    Dong, Roth & Su (2022), J. R. Stat. Soc. B 84:3-37, definition 2.6.
"""

import math

from scipy.special import ndtr, ndtri


def auc_ceiling(z: float) -> float:
    """Return the largest area under the ROC curve at noise multiplier z > 0 (infinite z: 0.5)."""
    return float(ndtr(_mu(z) / math.sqrt(2.0)))


def tpr_ceiling(z: float, fpr: float) -> float:
    """Return the largest true-positive rate at false-positive rate ``fpr`` and noise multiplier z > 0.

    Raises:
        ValueError: If ``fpr`` is not between 0 and 1.
    """
    if not 0.0 < fpr < 1.0:
        raise ValueError(f"fpr must be between 0 and 1, got {fpr}")
    return float(ndtr(ndtri(fpr) + _mu(z)))


def guess_ceiling(z: float, levels: int) -> float:
    r"""Return the largest share of right guesses which of K equally likely rows was added.

    A guess is right with the mean over k of P_k(guess k), and each of these is at most
    Phi(Phi^{-1}(P_0(guess k)) + 1/z), where P_0 is the world without the row. That is concave in P_0, and the
    P_0(guess k) sum to 1, so

    .. math:: \frac1K \sum_k P_k(\mathrm{guess}\ k) \le \Phi(\Phi^{-1}(1/K) + 1/z).

    Args:
        z: Noise multiplier, positive.
        levels: K >= 2.

    Source:
        Derived here from definition 2.6 of Dong, Roth & Su (2022).
    """
    return float(ndtr(ndtri(1.0 / levels) + _mu(z) / math.sqrt(2.0)))


def _mu(z: float) -> float:
    if not z > 0:
        raise ValueError(f"z must be positive, got {z}")
    return math.sqrt(2.0) / z
