# SPDX-License-Identifier: Apache-2.0
"""The metrics door: what a malicious server learns of rows from questions that cost no epsilon."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tailweave.clients.release.policy import Policy
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.attacks.kinks import hidden_numbers, matched
from tailweave.simulation.audit.attacks.nearest_row import Distance, nearest_row
from tailweave.simulation.audit.doors.questions import GAUSSIAN, Retraining, anything, refused
from tailweave.simulation.audit.doors.silo import AskedSilo
from tailweave.simulation.audit.doors.table import COLUMNS, FAR, REACH, counted, public_row, table
from tailweave.simulation.audit.findings import Attack
from tailweave.simulation.audit.recovered import Recovery
from tailweave.simulation.audit.scores import Membership, membership

NEAREST, KINKS = "distances to training rows", "kinks over held-out rows"
_ROWS = 230
_PROBES, _SUSPECTS, _OPENED = 40, 40, 3
_STEP = 1e-2
_EXACT = 1e-7
_BESIDE = 1e-10
_BALL = 1e-3
_COMPONENTS, _DRAWS = 200, 1000
"""Of a mixture that learns rows by heart (``hello`` tells 200 rows), and how often it is drawn from."""


@dataclass(frozen=True)
class Learnt:
    """What a server learnt.

    Attributes:
        attacks: Rows recovered.
        membership: How well it tells rows of the silo from others.
        questions: How many it asked.
        differing: Of them, how many a silo with another row in the place of one answered otherwise.
        compared: How many such a silo was asked.
    """

    attacks: tuple[Attack, ...]
    membership: Membership
    questions: int
    differing: int = 0
    compared: int = 0


def question_metrics(folder: Path, policy: Policy, *, questions: int, seed: int = 0) -> Learnt:
    """Attack a made-up silo of a few hundred rows by free questions to its own app.

    At least as many ``questions`` are asked, and asked again of two silos that differ in one row; 0 asks
    those of the attacks alone, and no other silo. ``folder``, where its node lives, is made.
    """
    rows = table(stream(seed, "audit", "doors", "rows"), _ROWS)
    public = partial(public_row, stream(seed, "audit", "doors", "public"))
    asked = AskedSilo(folder / "asked", rows, policy)
    for question in refused(public):
        asked.ask(question)
    way = _way(asked, public())
    attacks = (
        Attack(NEAREST, _trained_on(asked, [public() for _ in range(_PROBES)], way)),
        Attack(KINKS, _held_out(asked)),
    )
    told = _membership(asked, public, way)
    rng = stream(seed, "audit", "doors", "anything")
    while len(asked.asked) < questions:
        _ask(asked, anything(public, rng))
    if not questions:
        return Learnt(attacks, told, len(asked.asked))
    twins = [AskedSilo(folder / name, _replaced(rows, row), policy) for name, row in _changed(asked)]
    return Learnt(attacks, told, len(asked.asked), _differing(asked, twins), len(asked.asked))


def _ask(silo: AskedSilo, retraining: Retraining) -> dict[tuple[int, str], float]:
    return silo.ask(retraining.question(len(silo.asked))).values


def _beside(point: Floats) -> Floats:
    """Two public rows at one place, as good as; of equal rows no metric can be had."""
    return np.stack([point, point + _BESIDE])


def _from_shared(silo: AskedSilo, point: Floats) -> float | None:
    """Generation 0 of a public base that is one point: how near is the nearest row that it was fitted on?"""
    return _ask(silo, Retraining(point, held_out=_beside(point))).get((0, "generalization_score"))


def _from_local(silo: AskedSilo, point: Floats) -> float | None:
    """A model of the silo's own rows: two metrics whose ratio is how near public rows are to these."""
    local = GAUSSIAN.model_copy(update={"start": "local"})
    return _ratio(_ask(silo, Retraining(point, held_out=_beside(point), generator=local)), 0)


def _from_real(silo: AskedSilo, point: Floats) -> float | None:
    """The silo's own rows beside synthetic ones that are far away."""
    far = np.full(len(point), 10.0 * REACH)
    return _ratio(_ask(silo, Retraining(far, held_out=_beside(point), span=(1, 1), include_real=True)), 1)


def _ratio(values: dict[tuple[int, str], float], generation: int) -> float | None:
    score = values.get((generation, "generalization_score"))
    ratio = values.get((generation, "memorization"))
    return score / ratio if score and ratio else None


_WAYS: tuple[Callable[[AskedSilo, Floats], float | None], ...] = (_from_shared, _from_local, _from_real)


def _way(silo: AskedSilo, point: Floats) -> Distance:
    """Return the first way of reading a distance that is answered, or the plainest if none is."""
    open_ways = [way for way in _WAYS if way(silo, point) is not None]
    return partial((open_ways or _WAYS)[0], silo)


def _trained_on(silo: AskedSilo, points: Sequence[Floats], way: Distance) -> Recovery:
    found = [nearest_row(way, point, step=_STEP, exact=_EXACT) for point in points]
    return counted([row for row in found if row is not None], silo.silo.train.values)


def _held_out(silo: AskedSilo) -> Recovery:
    """Ask along each column, and along sums of columns, which say what belongs together."""

    def mean(direction: Floats, t: float) -> float | None:
        base = t * direction / (direction @ direction)
        energy = _ask(silo, Retraining(base, weights=direction[:, None])).get((0, "energy_distance"))
        return None if energy is None else energy / 2.0

    most = len(silo.silo.heldout)
    single, first = np.eye(COLUMNS), np.tril(np.ones((COLUMNS, COLUMNS)))
    values, sums = (
        [
            hidden_numbers(partial(mean, direction), COLUMNS * REACH, step=_STEP**2, most=most)
            for direction in directions
        ]
        for directions in (single, first[1:])
    )
    return counted(list(matched(values, sums, exact=_EXACT)), silo.silo.heldout.values)


def _membership(silo: AskedSilo, public: Callable[[], Floats], way: Distance) -> Membership:
    """Play for training rows by distance, and by a model that has learnt them by heart; keep the better."""

    def near(row: Floats) -> float:
        distance = way(row)
        return 0.0 if distance is None else -distance

    def opened(row: Floats) -> float:
        by_heart = GaussianMixtureSpec(
            kind="gaussian-mixture", components=_COMPONENTS, ridge=1e-12, start="local"
        )
        ball = np.stack([row, row + _BALL])
        asked = Retraining(row, held_out=ball, generator=by_heart, evaluation_samples=_DRAWS)
        return _ask(silo, asked).get((0, "coverage"), 0.0)

    members = silo.silo.train.values
    games: list[Membership] = []
    for score, count in ((near, _SUSPECTS), (opened, _OPENED)):
        inside = np.array([score(row) for row in members[:: len(members) // count][:count]])
        outside = np.array([score(public()) for _ in range(count)])
        games.append(membership([inside], [outside]))
    return max(games, key=lambda game: game.auc)


def _changed(silo: AskedSilo) -> tuple[tuple[str, Floats], ...]:
    """Return which rows silos of these names have another one for."""
    return ("other-training-row", silo.silo.train.values[0]), (
        "other-held-out-row",
        silo.silo.heldout.values[0],
    )


def _replaced(rows: Floats, row: Floats) -> Floats:
    """Return rows in which one has become an odd one, for which an epsilon must hold as for any other."""
    return np.where((rows == row).all(axis=1)[:, None], FAR, rows)


def _differing(silo: AskedSilo, twins: Sequence[AskedSilo]) -> int:
    """Ask everything again, in turn of silos with one other row, and count what they say otherwise."""
    return sum(
        twins[number % len(twins)].ask(question).said != answer.said
        for number, (question, answer) in enumerate(silo.asked)
    )
