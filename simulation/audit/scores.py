# SPDX-License-Identifier: Apache-2.0
"""What a membership attack is worth: area under the ROC curve, and hits at one false alarm in a hundred."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.privacy.canary import delong

FPR = 0.01
"""False-positive rate at which the true-positive rate is read."""


@dataclass(frozen=True)
class Membership:
    """Result of a membership attack, with standard errors.

    Attributes:
        auc: Mean over silos of the probability that a member scores above a non-member; 0.5 is guessing.
        auc_se: Its standard error: the larger of the spread between silos and DeLong's within them.
        tpr: Share of members found when ``FPR`` of non-members are accused.
        tpr_se: Its standard error: the larger of the spread between silos and the binomial one.
        silos: Number of silos attacked.
    """

    auc: float
    auc_se: float
    tpr: float
    tpr_se: float
    silos: int


def membership(members: Sequence[Floats], others: Sequence[Floats]) -> Membership:
    """Judge scores, higher meaning "member", of an attack on several silos.

    Args:
        members: Scores of members, one array a silo, at least 2 in each.
        others: Scores of rows that were not in it, one array a silo, at least 2 in each.

    Returns:
        The result.

    Raises:
        ValueError: If the two do not hold the same number of silos, there are none, or one has fewer than 2.
    """
    if not members or len(members) != len(others) or min(map(len, [*members, *others])) < 2:
        raise ValueError(
            "members and others must hold 2 scores or more of each of the same silos, got "
            f"{[len(s) for s in members]} and {[len(s) for s in others]}"
        )
    aucs, errors = np.array([delong(m, o) for m, o in zip(members, others, strict=True)]).T
    hits = np.array([_hits(m, o) for m, o in zip(members, others, strict=True)])
    share, count = float(hits.mean()), sum(map(len, members))
    return Membership(
        auc=float(aucs.mean()),
        auc_se=max(_spread(aucs), float(np.sqrt((errors**2).sum()) / len(errors))),
        tpr=share,
        tpr_se=max(_spread(hits), float(np.sqrt(share * (1.0 - share) / count))),
        silos=len(members),
    )


def _hits(members: Floats, others: Floats) -> float:
    """Share of members above the (1 - FPR) quantile of others; with few others it is the largest of them."""
    return float((members > np.quantile(others, 1.0 - FPR, method="higher")).mean())


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
