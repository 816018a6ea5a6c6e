# SPDX-License-Identifier: Apache-2.0
"""The membership game: silos of known size are cut from a pool; an attacker says which rows are inside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailweave.protocols.arrays import Floats, Ints
from tailweave.simulation.audit.attacks.base import Attacks
from tailweave.simulation.audit.scores import Membership, membership

SILOS = 20
"""Silos of one game."""


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


def play(game: Game, attacks: Attacks[Any], *, rng: np.random.Generator) -> Membership | None:
    """Attack a channel; None if its kind has no attack on membership."""
    cuts = list(game.cuts(rng=rng))
    scores = attacks.membership(game.pool, game.auxiliary, game.rows, rng)
    if scores is None:
        return None
    return best([scores(attacks.channel.send(game.pool[inside], rng)) for inside, _ in cuts], cuts)


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
