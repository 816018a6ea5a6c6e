# SPDX-License-Identifier: Apache-2.0
"""From the silos' summaries to one proxy reference: controls against liars, weights, shrinkage."""

from collections.abc import Mapping, Sequence

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.messages import SummariseReply
from tailweave.protocols.privacy import gate
from tailweave.protocols.references import Summary, read_summary, summarised, weave
from tailweave.server.controls.inspection import inspect
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun

Released = tuple[SummarisedReference, PrivacySpec]


def woven_reference(
    run: SeedRun,
    released: Released,
    answers: Sequence[tuple[Member, SummariseReply]],
) -> dict[str, Floats]:
    """Weave accepted summaries into the arrays of the proxy reference.

    Nobody outweighs the cap of ``server.controls.weights``. A silo that lies out of bounds or away from all
    others is recorded as quarantined and left out of the reference; it stays in the run. What
    ``federation.trusted`` names is recorded as odd instead, and counted.

    Args:
        run: Who is asked, the seed, and what all silos are given.
        released: Reference kind and privacy bounds that the answers are for.
        answers: One a silo, sorted by silo.

    Returns:
        What ``protocols.references.proxy`` reads.

    Raises:
        RunFailed: If fewer than ``min-clients`` summaries may be counted.
    """
    spec, privacy = released
    summaries = {m.silo: read_summary(reply.arrays, spec, run.kit.features.dimension) for m, reply in answers}
    variance = gate.noise_variance(spec, privacy)
    seen = inspect(
        summaries,
        spec,
        run.kit.features.space(run.seed),
        rows_at_least={member.silo: member.rows_at_least for member, _ in answers},
        noise=0.0 if variance is None else float(np.sqrt(variance.max())),
        policy=run.federation.experiment.federation,
    )
    for silo, reason in seen.quarantined.items():
        run.federation.record.quarantined(seed=run.seed, silo=silo, reason=f"{_named(released)}: {reason}")
    for silo, reason in seen.odd.items():
        run.federation.record.odd(seed=run.seed, silo=silo, reason=f"{_named(released)}: {reason}")
    run.federation.require(len(summaries) - len(seen.quarantined))
    masses = seen.masses(list(summaries))
    woven = weave(list(summaries.values()), spec, weights=masses)
    if variance is None or not privacy.shrink:
        return woven
    of_mean = _variance_of_mean(summaries, masses, variance)
    return summarised(spec).shrunk(woven, of_mean, run.kit.samples, run.kit.features.space(run.seed))


def _named(released: Released) -> str:
    spec, privacy = released
    return f"{spec.kind} at epsilon {'none' if privacy.epsilon is None else f'{privacy.epsilon:g}'}"


def _variance_of_mean(summaries: Mapping[str, Summary], masses: Floats, variance: Floats) -> Floats:
    """Return the noise variance of the weighted mean of the silos' mean sketches, shape (J,) or (B,)."""
    counts = np.array([summary.count for summary in summaries.values()])  # (K,)
    shares = masses / masses.sum()
    return variance * float(((shares / counts) ** 2).sum())
