# SPDX-License-Identifier: Apache-2.0
"""Two preferences with plateaus: where curation by many candidates ends, and when few lose a mode."""

import numpy as np

from tailweave.protocols.arrays import Floats


def check_share(q: float) -> None:
    """Refuse a share outside [0, 1]; raises ``ValueError``."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"q must be in [0, 1], got {q}")


def plateau_rewards(gap: float) -> Floats:
    """Return the rewards of two preferences in three places: the best of each, and outside; shape (2, 3).

    A preference gives 0 to its own basin and -gap everywhere else; raises ``ValueError`` if gap is not
    positive and finite.
    """
    if not 0.0 < gap < np.inf:
        raise ValueError(f"gap must be positive and finite, got {gap}")
    return np.array([[0.0, -gap, -gap], [-gap, 0.0, -gap]])


def plateau_share(q: float, gap: float) -> float:
    r"""Return the share of the first basin in the limit of curation with many candidates.

    .. math:: a_\infty = \frac{q (1 + k) - k}{1 - k}, \quad k = e^{-\Delta}, \quad
              \frac{k}{1 + k} < q < \frac{1}{1 + k}

    below that 0 and above it 1: the rarer preference is then outvoted. a = q only for q = 1/2 or as k goes
    to 0.

    Args:
        q: How often the first preference is asked, in [0, 1].
        gap: Delta, by how much each preference likes its own basin better than all else, positive.

    Returns:
        The share, in [0, 1].

    Raises:
        ValueError: If q is outside [0, 1] or the gap is not positive and finite.

    Source:
        Derived here. Outside both basins a place is multiplied by k (q / Z_1 + (1 - q) / Z_2). With the mass
        b = 1 - a in the second basin, Z_1 = a + k b and Z_2 = b + k a. Where both basins last, their factors
        are 1: with x = q / Z_1 and y = (1 - q) / Z_2 that is x + k y = 1 and k x + y = 1, so x = y =
        1 / (1 + k), and Z_1 = k + (1 - k) a = q (1 + k). The factor outside is 2 k / (1 + k) < 1, so its mass
        goes to 0. That it is reached from every start: the update climbs q log Z_1 + (1 - q) log Z_2, which
        is concave in the masses and has this maximum (see ``Curation.step``); outside the interval the
        maximum is at an end.
    """
    check_share(q)
    plateau_rewards(gap)  # its check
    k = float(np.exp(-gap))
    return float(np.clip((q * (1.0 + k) - k) / (1.0 - k), 0.0, 1.0))


def compromise_wins(loss: float, gap: float) -> bool:
    r"""Tell whether a place that both preferences like almost best draws in mass, outside both basins.

    .. math:: 2 e^{-\delta} > 1 + e^{-\Delta}

    Args:
        loss: delta, by how much each preference likes its own basin better than that place.
        gap: Delta, by how much each likes it better than the other's.

    Returns:
        Whether mass there grows where both basins last, so that the mass outside basins does not go to 0.

    Source:
        The factor of that place, e^-delta (q / Z_1 + (1 - q) / Z_2) = 2 e^-delta / (1 + k), is above 1 at the
        limit of ``plateau_share``, for every q. Lemma 3.3 of arXiv 2605.07724, that mass outside goes to 0,
        needs the assumption of its appendix B.4 that this does not happen.
    """
    return bool(2.0 * np.exp(-loss) > 1.0 + np.exp(-gap))


def keeps(q: float, candidates: int) -> bool:
    r"""Tell whether a rare basin grows, where each preference takes its own whenever it can: q K > 1.

    **Two candidates always lose a mode** unless q = 1/2, and then it is lost by chance: of two, the basin of
    mass a is picked with probability q (2 a - a^2) + (1 - q) a^2, which falls towards 0 for q < 1/2 and is a
    itself, without any force, for q = 1/2.

    Args:
        q: How often the basin's own preference is asked, in [0, 1].
        candidates: K.

    Returns:
        Whether a rare basin's mass is multiplied by more than 1.

    Source:
        Derived here. With k = 0 the basin of mass a is picked with probability
        q (1 - (1 - a)^K) + (1 - q) a^K, whose slope at a = 0 is q K.
    """
    check_share(q)
    return q * candidates > 1.0
