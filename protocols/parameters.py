# SPDX-License-Identifier: Apache-2.0
r"""The form in which a generator's parameters may be averaged over silos, and back.

Means and covariances of different silos cannot be averaged one by one; moments per row can. Of a mixture of
k components with responsibilities r these are

.. math:: w_k = \frac1n \sum_i r_{ik}, \qquad f_k = \frac1n \sum_i r_{ik} x_i, \qquad
    S_k = \frac1n \sum_i r_{ik} x_i x_i^\top,

a gaussian being the mixture of one component, with w = 1. Weighted by rows, the average over silos is the
moment of the pooled rows. The ridge is in none of them; it is added when a model is made of them.
"""

from collections.abc import Mapping

import numpy as np

from tailweave.protocols.arrays import Floats, probabilities
from tailweave.protocols.config.starts import StartedSpec

_NAMES = {"gaussian": ("mean", "second"), "gaussian-mixture": ("weights", "firsts", "seconds")}
_SYMMETRY = 1e-9
_NEGATIVE = 1e-8
"""Eigenvalues below zero that rounding explains, over the trace of the raw second moment."""
_SUM = 1e-6
_DEAD = 1e-12
"""Weight of a component that no row belongs to any more."""
FARTHEST = 1000.0
"""Root mean square distance from the base's mean, in its standard deviations, that no honest silo has."""

Moments = tuple[Floats, Floats, Floats]
"""Weights (k,), firsts (k, p), seconds (k, p, p)."""


def parameters_of(spec: StartedSpec, arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """Turn a model into parameters that may be averaged.

    Args:
        spec: Kind and ridge.
        arrays: What ``Generator.arrays`` returns: ``mean`` (p,) and ``covariance`` (p, p), or ``weights``
            (k,), ``means`` (k, p) and ``covariances`` (k, p, p).

    Returns:
        ``mean`` (p,) and ``second`` (p, p), or ``weights`` (k,), ``firsts`` (k, p) and ``seconds`` (k, p, p).

    Raises:
        KeyError: If arrays are not those of the kind.
    """
    ridge = spec.ridge
    if spec.kind == "gaussian":
        mean, covariance = arrays["mean"], arrays["covariance"]
        return {"mean": mean, "second": covariance - ridge * np.eye(mean.size) + np.outer(mean, mean)}
    weights, means = arrays["weights"], arrays["means"]
    raw = arrays["covariances"] - ridge * np.eye(means.shape[1]) + means[:, :, None] * means[:, None, :]
    return {
        "weights": weights,
        "firsts": weights[:, None] * means,
        "seconds": weights[:, None, None] * raw,
    }


def model_of(spec: StartedSpec, parameters: Mapping[str, Floats]) -> dict[str, Floats]:
    """Turn parameters into a model.

    A component without rows (weight of at most 1e-12) gets mean and covariance of all rows.

    Args:
        spec: Kind and ridge, which is added to every covariance's diagonal, squared data units.
        parameters: As ``parameters_of`` returns them.

    Returns:
        What ``Generator.arrays`` returns.

    Raises:
        ValueError: If a covariance is not positive definite: columns lie so far from zero, beside their
            spread, that float64 cannot tell (a mean of 1e8 standard deviations).
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not positive definite
        weights, means, covariances = _components(spec, parameters)
        smallest = float(np.linalg.eigvalsh(covariances).min())
    if not smallest > 0.0:
        raise ValueError(
            f"averaged covariances must be positive definite, got an eigenvalue of {smallest:.3g}: columns "
            "lie too far from zero for their spread; standardize them"
        )
    if spec.kind == "gaussian":
        return {"mean": means[0], "covariance": covariances[0]}
    return {"weights": weights, "means": means, "covariances": covariances}


def _components(spec: StartedSpec, parameters: Mapping[str, Floats]) -> Moments:
    """Return weights (k,), means (k, p) and covariances (k, p, p)."""
    weights, firsts, seconds = _moments(spec, parameters)
    weights = weights / weights.sum()
    dead = weights <= _DEAD
    share = np.where(dead, 1.0, weights)
    means = np.where(dead[:, None], firsts.sum(axis=0), firsts / share[:, None])
    raw = np.where(dead[:, None, None], seconds.sum(axis=0), seconds / share[:, None, None])
    covariances = raw - means[:, :, None] * means[:, None, :] + spec.ridge * np.eye(means.shape[1])
    return weights, means, (covariances + covariances.transpose(0, 2, 1)) / 2.0


def check_shapes(spec: StartedSpec, parameters: Mapping[str, Floats]) -> None:
    """Refuse parameters of wrong names, shapes, asymmetric moments or weights; cheap, for any size.

    Raises:
        ValueError: With what does not fit.
    """
    expected = _NAMES[spec.kind]
    if set(parameters) != set(expected):
        raise ValueError(
            f"parameters of a {spec.kind} are {', '.join(expected)}, got {sorted(parameters)[:8]}"
        )
    if spec.kind == "gaussian" and parameters["mean"].ndim != 1:
        raise ValueError(f"mean must be a vector, got shape {parameters['mean'].shape}")
    weights, firsts, seconds = _moments(spec, parameters)
    if firsts.ndim != 2 or firsts.size == 0 or weights.shape != firsts.shape[:1]:
        raise ValueError(f"weights {weights.shape} and first moments {firsts.shape} do not fit together")
    if seconds.shape != (*firsts.shape, firsts.shape[1]):
        raise ValueError(
            f"first moments {firsts.shape} and second moments {seconds.shape} do not fit together"
        )
    probabilities(weights, "weights")
    if not abs(float(weights.sum()) - 1.0) <= _SUM:
        raise ValueError(f"weights must sum to 1, got {float(weights.sum()):.9g}")
    with np.errstate(over="ignore"):  # what overflows is not symmetric
        skew = float(np.abs(seconds - seconds.transpose(0, 2, 1)).max())
    if not skew <= _SYMMETRY * float(np.abs(seconds).max()):
        raise ValueError(f"second moments must be symmetric, they differ by {skew:.3g} from their transposes")


def check_parameters(
    spec: StartedSpec,
    parameters: Mapping[str, Floats],
    like: Mapping[str, Floats],
    base: Mapping[str, Floats],
) -> None:
    """Refuse parameters that no rows have.

    Args:
        spec: Kind of generator.
        parameters: What a silo sent.
        like: What it was sent: names and shapes must be the same.
        base: Parameters of the public base: what lies beyond 1,000 of its standard deviations is absurd.

    Raises:
        ValueError: If shapes differ, second moments are less than their means allow (a covariance would not
            be positive semi-definite), or the moments lie absurdly far from the public base.
    """
    shapes, wanted = ({n: a.shape for n, a in sorted(p.items())} for p in (parameters, like))
    if shapes != wanted:
        raise ValueError(f"parameters have shapes {shapes}, sent were {wanted}")
    check_shapes(spec, parameters)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        _check_spread(spec, parameters)
        far = _distance_sq(spec, parameters, base) / _distance_sq(spec, base, base)
    if not far <= FARTHEST**2:
        raise ValueError(
            f"moments lie {far**0.5:.3g} standard deviations of the public base from its mean: "
            f"at most {FARTHEST:g} pass"
        )


def _check_spread(spec: StartedSpec, parameters: Mapping[str, Floats]) -> None:
    weights, firsts, seconds = _moments(spec, parameters)
    share = np.maximum(weights, np.finfo(np.float64).tiny)
    # the block matrix [[w, f'], [f, S]] is positive semi-definite exactly when S - f f' / w is
    spread = seconds - firsts[:, :, None] * (firsts / share[:, None])[:, None, :]
    lowest = np.linalg.eigvalsh(spread).min(axis=1)  # (k,)
    if not (lowest >= -_NEGATIVE * np.trace(seconds, axis1=1, axis2=2)).all():
        raise ValueError(
            "second moments must be at least the square of the first, a covariance would have the "
            f"eigenvalue {float(lowest.min()):.3g}"
        )


def _distance_sq(spec: StartedSpec, parameters: Mapping[str, Floats], base: Mapping[str, Floats]) -> float:
    """Return the mean squared distance of the rows from the base's mean; at least a tiny number."""
    center = _moments(spec, base)[1].sum(axis=0)
    _, firsts, seconds = _moments(spec, parameters)
    mean, second = firsts.sum(axis=0), seconds.sum(axis=0)
    distance = np.trace(second) - 2.0 * mean @ center + center @ center
    return max(float(distance), spec.ridge)


def _moments(spec: StartedSpec, parameters: Mapping[str, Floats]) -> Moments:
    if spec.kind == "gaussian":
        return np.ones(1), parameters["mean"][None], parameters["second"][None]
    return parameters["weights"], parameters["firsts"], parameters["seconds"]
