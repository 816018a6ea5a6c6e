# SPDX-License-Identifier: Apache-2.0
"""One look at all summaries of a reference: who is quarantined and why, and what everyone weighs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import FederationSpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implemented
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.references import Summary, summarised
from tailweave.server.controls.bounds import breaches
from tailweave.server.controls.suspects import FEWEST, potential_distances
from tailweave.server.controls.weights import cap_weights


@dataclass(frozen=True)
class Inspection:
    """What the controls decided.

    Attributes:
        weights: By silo, in rows; 0 for a silo in quarantine, the silo's own count where no cap binds.
        quarantined: The reason, by silo. A quarantined silo stays in the federation: it is not counted in
            the reference until a person has looked at it, and report and log say so.
        odd: The reason, by silo, why it would be in quarantine if nobody trusted it.
    """

    weights: Mapping[str, float]
    quarantined: Mapping[str, str]
    odd: Mapping[str, str]

    def masses(self, silos: Sequence[str]) -> Floats:
        """Return the weights in the order of ``silos``, shape (K,), as ``weave`` takes them."""
        return np.array([self.weights[silo] for silo in silos])


def inspect(
    summaries: Mapping[str, Summary],
    spec: SummarisedReference,
    space: PublicSpace,
    *,
    rows_at_least: Mapping[str, int] | None = None,
    noise: float = 0.0,
    policy: FederationSpec | None = None,
) -> Inspection:
    """Check every summary against public bounds, then against the others, and cap the weights of the rest.

    Silos that break a bound are out before distances are taken, so that they cannot hide others. A silo
    that a person trusts may lie far from the others, as one that alone holds a mode does; no bound is waived.

    Args:
        summaries: By silo.
        spec: The reference that they are for.
        space: Public space.
        rows_at_least: By silo, the bucket that it named in ``hello``; a silo that is not in it, or None,
            leaves counts unbounded, and only the cap then stands against an inflated one.
        noise: Standard deviation of the privacy noise on every entry of a sketch's sums; 0 for none.
        policy: Gives the largest share of one silo and whom a person trusts; None for the defaults.

    Returns:
        Weights and quarantine. With nobody quarantined and no cap binding, the weights are the counts.

    Raises:
        ValueError: If a summary is not of the kind or shape that ``spec`` names, noise is negative, or a
            value of ``rows_at_least`` is no bucket.
    """
    if not noise >= 0.0:
        raise ValueError(f"noise must be a standard deviation, not negative, got {noise}")
    expected = summarised(spec).summary
    strange = sorted(silo for silo, summary in summaries.items() if not isinstance(summary, expected))
    if strange:
        raise ValueError(f"{spec.kind} needs summaries of its own kind, got others from {', '.join(strange)}")
    quarantined = {}
    for silo, summary in summaries.items():
        bucket = (rows_at_least or {}).get(silo)
        found = breaches(summary, spec, space, rows_at_least=bucket, noise=noise)
        if found:
            quarantined[silo] = "; ".join(found)
    sound = {silo: summary for silo, summary in summaries.items() if silo not in quarantined}
    policy = policy or FederationSpec()
    suspects = _suspects(sound, spec, space, noise)
    odd = {silo: reason for silo, reason in suspects.items() if policy.trusts(silo)}
    quarantined |= {silo: reason for silo, reason in suspects.items() if silo not in odd}
    counted = [silo for silo in summaries if silo not in quarantined]
    cap = 1.0 if policy.weight_cap is None else policy.weight_cap
    capped = cap_weights([summaries[silo].count for silo in counted], cap)
    weights = dict.fromkeys(summaries, 0.0) | dict(zip(counted, capped.tolist(), strict=True))
    return Inspection(weights, quarantined, odd)


def _suspects(
    sound: Mapping[str, Summary], spec: SummarisedReference, space: PublicSpace, noise: float
) -> dict[str, str]:
    if len(sound) < FEWEST:
        return {}
    measure = implemented(spec, spec.kind, __name__, part="distances") or potential_distances
    distances, limits = measure(list(sound.values()), spec, space, noise)
    median = np.median(distances)
    return {
        silo: f"lies {distance:.4g} from the other silos: median {median:.4g}, limit {limit:.4g}"
        for silo, distance, limit in zip(sound, distances, limits, strict=True)
        if distance > limit
    }
