# SPDX-License-Identifier: Apache-2.0
r"""The streaming rule: herding over candidates that come one after another, without end.

Candidates are numbered as they come and cut into windows of W: 0..W-1, W..2W-1, and so on; only the last
window of a stream may be shorter. How candidates were batched on their way plays no part, so any cut of the
same sequence gives the same picks, bit for bit (same machine, same number of BLAS threads).

When a window is full, after T candidates in all, herding goes on until floor(T keep / of) are picked. It
compares with everything picked in this stream before: with m picks so far, the next is

.. math:: x_{m+1} = \arg\min_x \; h(x) - \frac{1}{m + 1} \sum_{i \le m} \|x - x_i\|

over the candidates of the window that are left. So a mode that one window lacked is made up for in the next,
and one window that holds all candidates is one call of ``herding``. What a window does not pick is dropped
for good: the candidates of a stream should come in the random order in which a generator draws them. A
stream sorted by mode keeps the same share of each mode, whatever the reference says.

All distances are sliced, in the cosine basis, where the sum over picks is linear in the sum of their basis
functions phi. With v = (m + 1) mu - sum_i phi(x_i), mu the reference's sketch and o(x) the offsets,

.. math:: (m + 1) h(x) - \sum_i \|x - x_i\| = unit \, [ o(x) - k \, \phi(x) \cdot v + const ],
          \qquad k = 4 / (\pi^2 L),

so a stream's memory is v, one number and the open window, whatever its length. Derivation: insert
``protocols.references.cosine`` into the left side; o(x) stands m + 1 times in h and m times in the sum.
Herding from a bounded pool of a stream: Paige, Sejdinovic & Wood (2016), "Super-sampling with a reservoir".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.references import cosine
from tailweave.protocols.references.pairs import Float32s
from tailweave.protocols.references.sliced import Sliced

Bools = NDArray[np.bool_]
WINDOW = 512
SMALLEST_WINDOW, LARGEST_WINDOW = 16, 4096
MOST_OF = 2**31
"""Bound of ``of``, so that T keep stays exact for any client's integers."""


@dataclass(frozen=True)
class StreamingRule:
    """Keep ``keep`` of every ``of`` candidates, decided in windows of ``window``.

    Attributes:
        keep: At least 1, at most ``of``.
        of: At most 2^31.
        window: W, in 16..4096; large enough that a full window keeps at least one.
    """

    keep: int
    of: int
    window: int = WINDOW

    def __post_init__(self) -> None:
        """Refuse shares and windows out of range."""
        if not 1 <= self.keep <= self.of <= MOST_OF:
            raise ValueError(
                f"keep must be in 1..of and of at most {MOST_OF}, got keep {self.keep} of {self.of}"
            )
        if not SMALLEST_WINDOW <= self.window <= LARGEST_WINDOW:
            raise ValueError(
                f"window must be in {SMALLEST_WINDOW}..{LARGEST_WINDOW} candidates, got {self.window}"
            )
        if self.keep * self.window < self.of:
            raise ValueError(
                f"a window of {self.window} must keep at least one candidate, "
                f"got keep {self.keep} of {self.of}: use a larger window or share"
            )

    def picked_after(self, seen: int) -> int:
        """Return how many of the first ``seen`` candidates are picked when a window ends there."""
        return seen * self.keep // self.of


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Decisions on consecutive candidates of a stream.

    Attributes:
        start: Number of the first candidate, counted from 0.
        keep: Shape (b,).
        scores: Shape (b,), feature units, higher is better: mean distance to the picks minus h, when the
            candidate was picked or, for those dropped, when its window closed. Comparable within a window.
    """

    start: int
    keep: Bools
    scores: Float32s


class StreamingHerding:
    """One stream: what was picked before, and the window that is open."""

    def __init__(self, reference: Sliced, rule: StreamingRule) -> None:
        """Begin with nothing picked.

        Args:
            reference: In the cosine basis; see ``cosine_form``.
            rule: Share and window.

        Raises:
            ValueError: If the reference is in another basis.
        """
        if reference.spec.basis != "cosine":
            raise ValueError(f"reference must be in basis cosine, got {reference.spec.basis}")
        self.reference, self.rule = reference, rule
        self.seen = self.picked = 0
        self._directions = reference.space.directions(reference.spec.directions)
        self._sketch = reference.sketch.T.ravel()  # mu, (J * L,), J outermost as in the window's basis
        self._mean_offset = cosine.mean_offset(reference.sketch)
        self._residual = self._sketch.copy()  # v
        self._offsets = 0.0  # sum over picks
        self._open = np.empty((rule.window, reference.dimension), dtype=np.float32)
        self._waiting = 0

    def push(self, features: ArrayLike) -> Verdicts:
        """Take the next candidates and decide on every window that they fill.

        Args:
            features: Shape (b, d), b >= 0, feature units; compared in float32.

        Returns:
            Decisions on the candidates of full windows, from the first that was not yet decided on; often
            empty, as a window decides on its candidates together.

        Raises:
            ValueError: If there are not d columns, or an entry is not finite; nothing is taken then.
        """
        batch = _checked(features, self.reference.dimension)
        begun, decided, taken = self.seen, [], 0
        while taken < len(batch):
            part = batch[taken : taken + self.rule.window - self._waiting]
            self._open[self._waiting : self._waiting + len(part)] = part
            self._waiting += len(part)
            taken += len(part)
            if self._waiting == self.rule.window:
                decided.append(self._close_window())
        return _joined(begun, decided)

    def finish(self) -> Verdicts:
        """Decide on the candidates that still wait, as a last and shorter window."""
        begun = self.seen
        return _joined(begun, [self._close_window()] if self._waiting else [])

    def _close_window(self) -> tuple[Bools, Floats]:
        candidates, self._waiting = self._open[: self._waiting], 0
        self.seen += len(candidates)
        space, spec = self.reference.space, self.reference.spec
        positions = space.project(candidates.astype(np.float64), self._directions, spec.range)  # (w, L)
        functions = _float32_basis(positions, spec.coefficients)  # (w, J * L)
        return self._herd(functions, cosine.offsets(positions), self.rule.picked_after(self.seen))

    def _herd(self, functions: Float32s, offsets: Floats, until: int) -> tuple[Bools, Floats]:
        """Pick from one window until ``until`` are picked in all; basis (w, J * L), offsets (w,)."""
        k = np.float32(4.0 / (np.pi**2 * self.reference.spec.directions))
        steps = functions @ functions.T  # (w, w)
        steps -= functions @ self._sketch.astype(np.float32)
        steps *= k  # row s: how much pick s raises each candidate's cost
        costs = offsets - k * (functions @ self._residual)  # (w,), up to the constant of _score
        keep, final = np.zeros(len(costs), dtype=bool), np.empty(len(costs))
        left = np.zeros(len(costs))
        picks = []
        while self.picked < until:
            pick = int(np.argmin(costs + left))
            keep[pick], left[pick] = True, np.inf
            final[pick] = self._score(costs[pick])
            costs += steps[pick]
            self._offsets += offsets[pick]
            self.picked += 1
            picks.append(pick)
        taken = functions[picks].sum(axis=0, dtype=np.float64)
        self._residual += len(picks) * self._sketch - taken
        final[~keep] = self._score(costs[~keep])
        return keep, final

    def _score(self, costs: Floats) -> Floats:
        """Return mean distance to the m picks (over m + 1) minus h, feature units."""
        constant = (self.picked + 1) * self._mean_offset - self._offsets
        scores: Floats = -self.reference.unit * (costs + constant) / (self.picked + 1)
        return scores


def streamed_herding(reference: Sliced, candidates: ArrayLike, rule: StreamingRule) -> Verdicts:
    """Decide on all candidates at once, as a stream of them would, however it was cut.

    Args:
        reference: In the cosine basis; see ``cosine_form``.
        candidates: Features, shape (N, d), in the order of the stream.
        rule: Share and window.

    Returns:
        N decisions, of which floor(N keep / of) keep.

    Raises:
        ValueError: As ``StreamingHerding``.
    """
    stream = StreamingHerding(reference, rule)
    first, last = stream.push(candidates), stream.finish()
    return Verdicts(0, np.concatenate([first.keep, last.keep]), np.concatenate([first.scores, last.scores]))


def _checked(features: ArrayLike, dimension: int) -> Float32s:
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
        batch = np.asarray(features, dtype=np.float32)
    if batch.ndim != 2 or batch.shape[1] != dimension:
        raise ValueError(f"candidates must have shape (n, {dimension}), got {batch.shape}")
    if not np.isfinite(batch).all():
        row, column = np.argwhere(~np.isfinite(batch))[0]
        raise ValueError(f"candidates must be finite, got {batch[row, column]} in row {row}, column {column}")
    return batch


def _float32_basis(positions: Floats, coefficients: int) -> Float32s:
    """Evaluate cos(pi j u) / j in float32: positions (w, L) to (w, J * L).

    Error against ``cosine.basis``: see ``test_basis_in_float32``.
    """
    first = np.cos(np.pi * positions).astype(np.float32)
    out = np.empty((len(first), coefficients, first.shape[1]), dtype=np.float32)
    twice, before, now = first + first, np.ones_like(first), first
    for j in range(1, coefficients + 1):
        np.multiply(now, np.float32(1.0 / j), out=out[:, j - 1])
        before, now = now, twice * now - before
    return out.reshape(len(first), -1)


def _joined(begun: int, decided: list[tuple[Bools, Floats]]) -> Verdicts:
    if not decided:
        return Verdicts(begun, np.empty(0, dtype=bool), np.empty(0, dtype=np.float32))
    scores = np.concatenate([scores for _, scores in decided]).astype(np.float32)
    return Verdicts(begun, np.concatenate([keep for keep, _ in decided]), scores)
