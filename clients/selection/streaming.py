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
functions (``protocols.references.sliced_residuals``), so a stream's memory is one sketch and the open window,
whatever its length.
Herding from a bounded pool of a stream: Paige, Sejdinovic & Wood (2016), "Super-sampling with a reservoir".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tailweave.clients.selection.windows import herd_window
from tailweave.protocols.arrays import Floats
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
        self._residual = reference.residual()
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
        window = self._residual.window(candidates.astype(np.float64))
        count = self.rule.picked_after(self.seen) - self.picked
        picks, costs = herd_window(window, count, {})
        window.take(picks)
        keep, picked = np.zeros(len(candidates), dtype=bool), np.full(len(candidates), self.picked + count)
        keep[picks], picked[picks] = True, self.picked + np.arange(count)
        self.picked += count
        return keep, -costs / (picked + 1)  # costs are m + 1 times h minus the mean distance


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


def _joined(begun: int, decided: list[tuple[Bools, Floats]]) -> Verdicts:
    if not decided:
        return Verdicts(begun, np.empty(0, dtype=bool), np.empty(0, dtype=np.float32))
    scores = np.concatenate([scores for _, scores in decided]).astype(np.float32)
    return Verdicts(begun, np.concatenate([keep for keep, _ in decided]), scores)
