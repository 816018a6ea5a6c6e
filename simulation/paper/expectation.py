# SPDX-License-Identifier: Apache-2.0
"""EM of a Gaussian mixture from its present parameters, in one pass over the rows a step.

scikit-learn's EM with the same start gives the same numbers to rounding and takes 3-10 times as long, which a
pool refitted in each of 200 generations feels; that of ``AveragedMixture`` knows no end but a number of
steps.
"""

import numpy as np

from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.protocols.arrays import Floats

_BLOCK = 4096
"""Rows worked on at once: their whitened copies fit in a second-level cache."""


def go_on(
    start: Mixture, rows: Floats, *, ridge: float, steps: int = 100, tolerance: float = 1e-3
) -> Mixture:
    """Iterate EM from ``start`` until the mean log-likelihood changes by less than ``tolerance``.

    Args:
        start: First parameters.
        rows: Shape (n, d).
        ridge: Added to every covariance diagonal, (units of the rows)^2, positive.
        steps: Most steps; the last parameters are returned if it does not converge, as scikit-learn does.
        tolerance: In nats.

    Returns:
        The parameters after the last step. A component that has lost all rows stays, with a weight near 0.

    Raises:
        ValueError: If ``ridge`` is not positive or the columns differ.

    Source:
        Dempster, Laird & Rubin (1977); order of steps and stopping rule of scikit-learn's GaussianMixture.
    """
    if ridge <= 0:
        raise ValueError(f"ridge must be positive, got {ridge}")
    if rows.ndim != 2 or rows.shape[1] != start.means.shape[1]:
        raise ValueError(f"rows must have {start.means.shape[1]} columns, got shape {rows.shape}")
    now, before = start, -np.inf
    for _ in range(steps):
        now, likelihood = _step(now, rows, ridge)
        if abs(likelihood - before) < tolerance:
            break
        before = likelihood
    return now


def _step(now: Mixture, rows: Floats, ridge: float) -> tuple[Mixture, float]:
    """Return the parameters after one step, and the mean log-likelihood before it."""
    count, (k, d) = len(rows), now.means.shape
    centre = rows.mean(axis=0)  # second moments about it do not cancel
    values, axes = np.linalg.eigh(now.covariances)
    factors = (axes / np.sqrt(values)[:, None, :]).transpose(1, 0, 2).reshape(d, k * d)
    shifts = ((now.means - centre) @ factors.reshape(d, k, d).transpose(1, 0, 2)).diagonal(0, 0, 1).T.ravel()
    with np.errstate(divide="ignore"):  # log 0 = -inf: a dead component takes no row
        offsets = np.log(now.weights) - 0.5 * (np.log(values).sum(axis=1) + d * np.log(2 * np.pi))
    total, masses = 0.0, np.zeros(k)
    sums, seconds = np.zeros((k, d)), np.zeros((k, d, d))
    for begin in range(0, count, _BLOCK):
        block = rows[begin : begin + _BLOCK] - centre
        white = block @ factors - shifts
        logs = offsets - 0.5 * np.einsum("nkd,nkd->nk", *2 * [white.reshape(-1, k, d)])
        top = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - top)
        norms = shares.sum(axis=1, keepdims=True)
        total += float((top + np.log(norms)).sum())
        shares /= norms
        masses += shares.sum(axis=0)
        sums += shares.T @ block
        seconds += np.stack([(block * share[:, None]).T @ block for share in shares.T])
    masses += 10 * np.finfo(np.float64).eps  # scikit-learn's guard against an empty component
    means = sums / masses[:, None]
    covariances = seconds / masses[:, None, None] - means[:, :, None] * means[:, None, :]
    covariances += ridge * np.eye(d)
    return Mixture(masses / masses.sum(), centre + means, covariances), total / count
