# SPDX-License-Identifier: Apache-2.0
r"""The level guess: which level of a category has a row that was added, all else of which is known?

The attacker knows the other rows, and the row itself but for one category. Learnt from releases of its own
are the mean m_0 and variance v of the numbers that such a release holds, and the shift s_k that the row with
level k makes. Of a release r it guesses the level with the largest log-likelihood ratio to the world without
the row, for independent Gaussian noise

.. math:: \ell_k = \sum_j \frac{s_{kj}}{v_j}\,\Bigl(r_j - m_{0j} - \tfrac12 s_{kj}\Bigr).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tailweave.clients.samples import Samples
from tailweave.clients.sorts import Block
from tailweave.clients.sorts_table import Table
from tailweave.protocols.arrays import Floats
from tailweave.protocols.privacy.canary import filter_of
from tailweave.simulation.audit.attacks.base import Attacks
from tailweave.simulation.audit.findings import LevelGuess
from tailweave.simulation.audit.scene import TINY, Scene

_PILOTS = 64
_COLUMNS, _LEVELS = 8, 20
"""Most categories that are guessed, those of most levels; most levels of one that come into question."""


def guess_levels(
    scene: Scene, attacks: Attacks[Any], *, runs: int, rng: np.random.Generator
) -> tuple[LevelGuess, ...]:
    """Guess each category of a row that was added to ten rows of the first silo.

    Args:
        scene: Whose samples are encoded rows of a declared table; of others nothing is guessed.
        attacks: On the channel that releases.
        runs: Releases a category, about; each level comes as often.
        rng: Stream of the attack.

    Returns:
        One result a category, in the order of its columns.
    """
    train = scene.world.silos[0].train
    if not isinstance(train.sort, Table) or len(train) <= TINY:
        return ()
    beside, row = scene.mapped(train.take(np.arange(TINY))), train.take(np.array([TINY]))
    found = []
    for column, block in _categories(train.sort):
        rows = scene.mapped(_with_each_level(row, block))
        attacker = _Attacker.of(attacks, beside, rows, rng)
        turns = max(1, round(runs / len(rows)))
        hits = [attacker.guess(level, rng) == level for _ in range(turns) for level in range(len(rows))]
        share = float(np.mean(hits))
        error = float(np.sqrt(share * (1.0 - share) / len(hits)))
        found.append(LevelGuess(column, len(rows), share, error, len(hits)))
    return tuple(found)


class _Attacker(NamedTuple):
    """What the attacker knows.

    Attributes:
        attacks: On the channel.
        beside: The other rows, shape (n, d), feature units.
        rows: The row with each level, shape (K, d), feature units.
        filters: Of the shift that each of these makes, K arrays.
        middles: Numbers half way from without the row to with it, K arrays.
    """

    attacks: Attacks[Any]
    beside: Floats
    rows: Floats
    filters: Sequence[Floats]
    middles: Sequence[Floats]

    @classmethod
    def of(cls, attacks: Attacks[Any], beside: Floats, rows: Floats, rng: np.random.Generator) -> "_Attacker":
        """Learn from pilots, paired on one seed so that with seeded noise a shift is exact."""
        seeds = rng.integers(2**63, size=_PILOTS)
        send = attacks.channel.send
        without = [send(beside, np.random.default_rng(seed)) for seed in seeds]
        filters, middles = [], []
        for row in rows:
            worlds = np.stack([attacks.numbers(sent, row) for sent in without])
            paired = [
                attacks.numbers(send(np.vstack([beside, row]), np.random.default_rng(seed)), row)
                for seed in seeds[: _PILOTS // 8]
            ]
            shift = (np.stack(paired) - worlds[: len(paired)]).mean(axis=0)
            filters.append(filter_of(shift, worlds))
            middles.append(worlds.mean(axis=0) + shift / 2.0)
        return cls(attacks, beside, rows, filters, middles)

    def guess(self, level: int, rng: np.random.Generator) -> int:
        """Release the row with a level and guess which it has; of equals a random one."""
        sent = self.attacks.channel.send(np.vstack([self.beside, self.rows[level]]), rng)
        known = zip(self.rows, self.filters, self.middles, strict=True)
        ratios = np.array([f @ (self.attacks.numbers(sent, row) - middle) for row, f, middle in known])
        return int(rng.choice(np.flatnonzero(ratios == ratios.max())))


def _categories(sort: Table) -> list[tuple[str, Block]]:
    """Return names and blocks of the categories that are guessed, in their order."""
    named = {level.place: level.column for level in sort.levels}
    found = [(named[block.start], block) for block in sort.blocks if block.whole]
    widest = sorted(range(len(found)), key=lambda at: found[at][1].start - found[at][1].stop)[:_COLUMNS]
    return [found[at] for at in sorted(widest)]


def _with_each_level(row: Samples, block: Block) -> Samples:
    """Return one row with each level of a block in turn; of many levels some, evenly spaced."""
    width = block.stop - block.start
    places = np.unique(np.linspace(0, width - 1, min(width, _LEVELS)).astype(np.int64))
    rows = row.take(np.zeros(len(places), dtype=np.int64))
    values = np.array(rows.values)
    values[:, block.start : block.stop] = 0.0
    values[np.arange(len(places)), block.start + places] = block.unit
    return replace(rows, values=values)
