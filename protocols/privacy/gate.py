# SPDX-License-Identifier: Apache-2.0
"""The one door through which a silo's rows become a summary that may leave it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tailweave.protocols import references
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, Rows
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.privacy.calibration import noise_multiplier, rho_of
from tailweave.protocols.privacy.noise import Noise
from tailweave.protocols.references import Summary
from tailweave.protocols.refusals import Refusal


@dataclass(frozen=True)
class Cost:
    """What a release costs; ``epsilon`` and ``rho`` are None where nothing bounds it.

    Attributes:
        epsilon: By PLD, for one row added or removed.
        delta: Of that epsilon.
        rho: Zero-concentrated cost; adds over releases.
        mechanism: ``cosine``, ``histogram``, ``lloyd`` or ``none``.
    """

    epsilon: float | None
    delta: float
    rho: float | None
    mechanism: str


class _Prepaid:
    """Noise that pays just before its first draw, so that no draw goes unpaid and none is paid twice."""

    def __init__(self, noise: Noise, pay: Callable[[], None]) -> None:
        self.name, self._noise, self._pay, self.paid = noise.name, noise, pay, False

    def discrete_gaussian(self, scale: float, shape: tuple[int, ...]) -> Ints:
        if not self.paid:
            self._pay()
            self.paid = True
        return self._noise.discrete_gaussian(scale, shape)


def release(  # noqa: PLR0913 - the one door: everything a release depends on is named here
    rows: Floats | Rows,
    spec: SummarisedReference,
    features: FeatureMap,
    privacy: PrivacySpec,
    *,
    seed: int,
    noise: Noise,
    rng: np.random.Generator,
    charge: Callable[[Cost], None],
) -> Summary:
    """Turn a silo's rows into a summary that may leave it, or refuse.

    In this order: enough rows, before a value is read; finite values; the feature map; clip and cap by public
    constants; summarise; ``charge``, which writes the ledger or raises; noise. An exception of ``charge``
    passes through, and then no noise was drawn. A failure after it leaves the budget spent. Whether it fails
    depends on the question and the shape of the rows, never on a finite value in them (``FeatureMap``).

    The gate maps the rows itself, so that nobody can forget that a private release maps each row alike; an
    exact one uses the faster product.

    Args:
        rows: Data rows, shape (n, p); with labels where the map has classes.
        spec: Reference kind that the summary is for.
        features: Public feature map; fixes centre and scale.
        privacy: Epsilon, delta and the fewest rows; ``epsilon: null`` releases exact sums.
        seed: Root seed of the public directions.
        noise: Source of the noise; seeded in simulation only.
        rng: Stream of the un-noised k-means; private releases draw nothing from it.
        charge: Called exactly once.

    Raises:
        ValueError: If rows are too few, not finite (names the column) or of another dimension, if delta is
            no less than 1 / n, or if the noise would be too small for the grid.
        RuntimeError: If a mechanism drew no noise.

    Privacy:
        One row added or removed, any row; (epsilon, delta). That n reaches ``min_rows`` is taken as public.
    """
    if privacy.epsilon is None:
        mapped = features(rows)
        charge(Cost(None, privacy.delta, None, "none"))
        return references.release(mapped, spec, features.space(seed), privacy.min_cluster_size, rng=rng)
    enough(len(rows), privacy)
    mapped = features.alike(rows)
    z = multiplier(spec, privacy)
    mechanism = references.summarised(spec).mechanism
    cost = Cost(privacy.epsilon, privacy.delta, rho_of(z), mechanism.name)
    prepaid = _Prepaid(noise, lambda: charge(cost))
    summary: Summary = mechanism.privatise(mapped, spec, features.space(seed), z, noise=prepaid)
    if not prepaid.paid:
        raise RuntimeError(f"mechanism {cost.mechanism} drew no noise; nothing is released")
    return summary


def multiplier(spec: SummarisedReference, privacy: PrivacySpec) -> float:
    """Return z, the noise of a private release over its L2 sensitivity; a histogram's counts need a bit more.

    Raises:
        ValueError: If there is no epsilon.
    """
    if privacy.epsilon is None:
        raise ValueError("a noise multiplier needs epsilon, got null")
    z = noise_multiplier(privacy.epsilon, privacy.delta)
    return references.summarised(spec).mechanism.multiplier(z, spec, privacy)


def noise_variance(spec: SummarisedReference, privacy: PrivacySpec) -> Floats | None:
    """Return the noise variance of each coefficient of one silo's sum; both ends can compute it.

    The mean sketch of K silos with (noisy) counts n_k then has noise variance K times this over
    (sum n_k)^2; that the counts are noisy adds less than 1/L of the same to it.

    Returns:
        Shape (J,) or (B,); None for ``quantized``, and without epsilon.
    """
    variance = references.summarised(spec).mechanism.noise_variance
    if privacy.epsilon is None or variance is None:
        return None
    return variance(spec, multiplier(spec, privacy))


def enough(rows: int, privacy: PrivacySpec) -> None:
    """Refuse a private release of too few rows, before a value is read.

    Raises:
        ValueError: If there are fewer than ``min_rows``, or delta is no less than 1 / rows.
    """
    if rows < privacy.min_rows:
        raise Refusal(f"a private release needs min-rows = {privacy.min_rows} rows: the silo has fewer")
    if privacy.delta * rows >= 1.0:
        raise Refusal(f"delta must be below 1 over the silo's number of rows, got {privacy.delta}")
