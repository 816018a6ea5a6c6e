# SPDX-License-Identifier: Apache-2.0
r"""The cosine basis on [0, 1], in which the distance |u - v| is diagonal.

With Neumann's Green function of the interval,

.. math:: |u - v| = (u^2 - u + \tfrac13) + (v^2 - v + \tfrac13)
          - \frac{4}{\pi^2} \sum_{j \ge 1} \frac{\cos(\pi j u) \cos(\pi j v)}{j^2},

so a sketch of mean cos(pi j v) / j is all that E|u - v| needs. Truncation at J drops terms of size
4 / (pi^2 J). Derivation: G(u, v) = 2 sum cos cos / (pi j)^2 = 1/3 + (u^2 + v^2)/2 - max(u, v), and
max(u, v) = (u + v + |u - v|) / 2.
"""

import numpy as np

from tailweave.protocols.arrays import Floats


def basis(positions: Floats, coefficients: int) -> Floats:
    """Evaluate cos(pi j u) / j for j = 1..J at positions u (n, L) in [0, 1].

    Returns:
        Shape (n, L, J), dimensionless.

    Source:
        Chebyshev recurrence cos((j+1)a) = 2 cos(a) cos(ja) - cos((j-1)a); error below 1e-13 for J <= 1024.
    """
    first = np.cos(np.pi * positions)
    out = np.empty((*positions.shape, coefficients))
    before, now = np.ones_like(first), first
    for j in range(1, coefficients + 1):
        np.divide(now, j, out=out[..., j - 1])
        before, now = now, 2.0 * first * now - before
    return out


def offsets(positions: Floats) -> Floats:
    """Return u^2 - u + 1/3, averaged over directions: positions (n, L) to shape (n,)."""
    means: Floats = (positions * positions - positions).mean(axis=1) + 1.0 / 3.0
    return means


def mean_offset(sketch: Floats) -> float:
    """Return E[v^2 - v + 1/3], averaged over directions, read from the sketch (L, J) itself.

    Returns:
        Mean offset; truncation keeps even j <= J, an error below 2 / (pi^2 J).

    Source:
        Fourier: v^2 - v + 1/6 = sum over even j of (4 / (pi j)^2) cos(pi j v).
    """
    j = np.arange(1, sketch.shape[1] + 1)
    weights = np.where(j % 2 == 0, 4.0 / (np.pi**2 * j), 0.0)
    return float((sketch @ weights).mean() + 1.0 / 6.0)
