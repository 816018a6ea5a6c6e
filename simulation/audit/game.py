# SPDX-License-Identifier: Apache-2.0
"""The membership game: silos of known size are cut from a pool; an attacker says which rows are inside."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.simulation.audit.attacks.likelihood_ratio import Background, Suspects
from tailweave.simulation.audit.attacks.mixture_density import calibrated_density
from tailweave.simulation.audit.scores import Membership, membership

SILOS = 20
"""Silos of one game."""
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
"""Ridges that the likelihood-ratio attacker tries; the best is reported, in the attacker's favour."""
SHADOWS = 24
FLOORS = (1e-3, 1e-2, 1e-1)
"""Smallest cluster variances that the density attacker tries, squared public scale; the best is reported."""


@dataclass(frozen=True)
class Game:
    """Who plays with what.

    Attributes:
        pool: Rows from which silos are cut, shape (P, d), feature units.
        auxiliary: Rows that the attacker owns, from the same population, in no silo, shape (m, d).
        rows: n, rows of each silo, at most P / 2; the attacker knows it.
        silos: How many silos are cut, attacked and averaged over.
    """

    pool: Floats
    auxiliary: Floats
    rows: int
    silos: int = SILOS

    def __post_init__(self) -> None:
        """Refuse silos that leave too few non-members."""
        if not 2 <= self.rows <= len(self.pool) // 2:
            raise ValueError(f"rows must be between 2 and half of {len(self.pool)}, got {self.rows}")

    def cuts(self, *, rng: np.random.Generator) -> Iterator[tuple[Ints, Ints]]:
        """Yield members and as many non-members, numbers of rows in the pool, one pair a silo."""
        for _ in range(self.silos):
            order = rng.permutation(len(self.pool))
            yield order[: self.rows], order[self.rows : 2 * self.rows]


def play_linear(
    game: Game,
    features: Callable[[Floats], Floats],
    send: Callable[[Floats, np.random.Generator], Floats],
    noise_sd: float,
    *,
    rng: np.random.Generator,
) -> Membership:
    """Attack sums of features by likelihood ratios.

    Args:
        game: Pool, auxiliary rows and sizes.
        features: Rows (n, d) to features (n, p), those that are summed.
        send: Rows and a stream to the released sum, shape (p,).
        noise_sd: Standard deviation of its noise in each coordinate; 0 for none.
        rng: Stream of the game.

    Returns:
        The best over ``RIDGES``.
    """
    suspects = Suspects.of(features(game.pool), Background.of(features(game.auxiliary)))
    cuts = list(game.cuts(rng=rng))
    scores = [
        suspects.scores(send(game.pool[inside], rng), game.rows, noise_sd, RIDGES) for inside, _ in cuts
    ]
    return best(scores, cuts)


def play_density(
    game: Game,
    send: Callable[[Floats, np.random.Generator], QuantizedSummary],
    scale: float,
    *,
    rng: np.random.Generator,
) -> Membership:
    """Attack clusters by their density, calibrated on shadow silos cut from the auxiliary rows.

    Returns:
        The best over ``FLOORS``.
    """
    cuts = list(game.cuts(rng=rng))
    others = [send(rows, rng) for rows in shadows(game.auxiliary, game.rows, rng=rng)]
    floors = [floor * scale**2 for floor in FLOORS]
    scores = [
        np.stack([calibrated_density(game.pool, sent, others, floor) for floor in floors])
        for sent in (send(game.pool[inside], rng) for inside, _ in cuts)
    ]
    return best(scores, cuts)


def shadows(own: Floats, rows: int, *, rng: np.random.Generator) -> Iterator[Floats]:
    """Cut silos of ``rows`` rows from the attacker's own (m, d), with replacement where these are fewer."""
    for _ in range(SHADOWS):
        yield own[rng.choice(len(own), rows, replace=len(own) < rows)]


def best(scores: Sequence[Floats], cuts: Sequence[tuple[Ints, Ints]]) -> Membership:
    """Judge each variant of an attack by scores (variants, P) and (members, others) a silo; keep the best."""
    found = [
        membership(
            [score[variant, members] for score, (members, _) in zip(scores, cuts, strict=True)],
            [score[variant, others] for score, (_, others) in zip(scores, cuts, strict=True)],
        )
        for variant in range(len(scores[0]))
    ]
    return max(found, key=lambda result: result.auc)
