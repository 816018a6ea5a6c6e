# SPDX-License-Identifier: Apache-2.0
"""Which groups synthetic rows have lost: exact tests of many groups, with one false-alarm rate for all.

A group is any set of rows: a class, a level of a category, a mode. It is *lost* if its share among the
synthetic rows is below half of its share among the real ones, and chance is ruled out as the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import beta, hypergeom

from tailweave.protocols.arrays import Floats, Ints

ALPHA = 0.05
CONFIDENCE = 0.95
LOST = 0.5
"""Of its real share: a group below it is lost."""
Verdict = Literal["lost", "thinner", "kept", "too few rows"]


@dataclass(frozen=True)
class Group:
    """What became of one group.

    Attributes:
        name: What the group is called.
        real: Real rows in it, of ``real_rows``.
        synthetic: Synthetic rows in it, of ``synthetic_rows``.
        real_rows: n, all real rows.
        synthetic_rows: m, all synthetic rows.
        p_value: Of Fisher's exact test, adjusted for all groups; 1 where it could not have shown a loss.
        verdict: ``lost``; ``thinner``: rarer beyond chance, not below half; ``kept``: nothing was seen;
            ``too few rows``: no count of synthetic rows could have shown a loss.
    """

    name: str
    real: int
    synthetic: int
    real_rows: int
    synthetic_rows: int
    p_value: float
    verdict: Verdict

    @property
    def real_share(self) -> float:
        """Its share of the real rows."""
        return self.real / self.real_rows

    @property
    def synthetic_share(self) -> float:
        """Its share of the synthetic rows."""
        return self.synthetic / self.synthetic_rows

    @property
    def kept(self) -> float | None:
        """Synthetic share over real share; None where there is no real row."""
        return self.synthetic_share / self.real_share if self.real else None

    @property
    def interval(self) -> tuple[float, float] | None:
        r"""95 % interval of the share kept; None where there is no real row.

        Given their sum, one of two Poisson counts is binomial: :math:`b \mid a + b \sim B(a + b, \pi)` with
        :math:`\pi / (1 - \pi) = (m / n) \rho`; Clopper and Pearson's interval of :math:`\pi` gives that of
        the share kept :math:`\rho`. Counts of a binomial vary less, so it is too wide rather than too narrow.

        Source:
            Przyborowski and Wilenski (1940), Biometrika 31:313-323; Clopper and Pearson (1934), 26:404-413.
        """
        if not self.real:
            return None
        tail, scale = (1.0 - CONFIDENCE) / 2.0, self.real_rows / self.synthetic_rows
        low = float(beta.ppf(tail, self.synthetic, self.real + 1)) if self.synthetic else 0.0
        high = float(beta.ppf(1.0 - tail, self.synthetic + 1, self.real))
        return low / (1.0 - low) * scale, high / (1.0 - high) * scale


def lost_groups(
    names: Sequence[str],
    real: Sequence[int] | Ints,
    synthetic: Sequence[int] | Ints,
    rows: tuple[int, int],
    alpha: float = ALPHA,
) -> list[Group]:
    r"""Judge what became of many groups.

    Each group has Fisher's one-sided exact test of "as frequent among the synthetic rows as among the real
    ones", its p-value :math:`P(B \le b)` with :math:`B` hypergeometric: m of n + m rows are drawn, of which
    a + b are of the group. Groups of so few rows that b = 0 could not reject are left out of the count
    (Tarone), the others are adjusted together (Holm).

    If synthetic rows are drawn as the real ones were, the chance that any group is called lost or thinner is
    at most ``alpha``, whatever the groups are and however they overlap, as long as they are chosen by looking
    at real and synthetic rows alike: given all rows together, which of them are synthetic is then chance.

    Args:
        names: What the g groups are called.
        real: Real rows in each, a, shape (g,).
        synthetic: Synthetic rows in each, b, shape (g,).
        rows: n and m, all real and all synthetic rows, each at least 1.
        alpha: False-alarm rate of all groups together, in (0, 1).

    Returns:
        The groups, in the order given.

    Raises:
        ValueError: If counts are out of range, or ``alpha`` is.

    Source:
        Fisher (1935), J. R. Stat. Soc. 98:39-82; Tarone (1990), Biometrics 46:515-522; Holm (1979), Scand. J.
        Stat. 6:65-70.
    """
    a, b = np.asarray(real, dtype=np.int64), np.asarray(synthetic, dtype=np.int64)
    n, m = rows
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be above 0 and below 1, got {alpha}")
    if min(rows) < 1 or not (len(names) == len(a) == len(b)):
        raise ValueError(
            "names, real and synthetic must be one a group, and rows at least 1, got "
            f"{len(names)}, {a.shape}, {b.shape} and {rows}"
        )
    if len(a) and (min(a.min(), b.min()) < 0 or a.max() > n or b.max() > m):
        raise ValueError(f"counts must be 0 to {n} of the real and 0 to {m} of the synthetic rows")
    p_values: Floats = hypergeom.cdf(b, n + m, a + b, m)
    smallest: Floats = hypergeom.cdf(np.maximum(0, a + b - n), n + m, a + b, m)
    testable = _testable(smallest, alpha)
    adjusted = np.ones(len(a))
    adjusted[testable] = _holm(p_values[testable])
    return [
        Group(
            name,
            int(x),
            int(y),
            n,
            m,
            float(p),
            _verdict(int(x) * m, int(y) * n, bool(p <= alpha), bool(can)),
        )
        for name, x, y, p, can in zip(names, a, b, adjusted, testable, strict=True)
    ]


def _verdict(real: int, synthetic: int, rejected: bool, testable: bool) -> Verdict:
    """Judge by shares times n m, which are whole numbers."""
    if rejected:
        return "lost" if synthetic < LOST * real else "thinner"
    return "kept" if testable else "too few rows"


def _testable(smallest: Floats, alpha: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which groups can reject at alpha / K, for the least K that so many groups or fewer can."""
    ordered = np.sort(smallest)
    for most in range(1, len(ordered) + 1):
        if np.searchsorted(ordered, alpha / most, side="right") <= most:
            return smallest <= alpha / most
    return np.zeros(len(ordered), dtype=np.bool_)


def _holm(p_values: Floats) -> Floats:
    """Return p-values that may be held against alpha each."""
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted
