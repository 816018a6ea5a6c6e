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


def _mu(z: float) -> float:
    if not z > 0:
        raise ValueError(f"z must be positive, got {z}")
    return math.sqrt(2.0) / z
