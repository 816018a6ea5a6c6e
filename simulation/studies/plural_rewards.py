# SPDX-License-Identifier: Apache-2.0
"""Study ``plural-rewards``: what theory says on a line, and what a generator does there."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import minimize_scalar

from tailweave.clients.curation.loop import Curators, recursion
from tailweave.clients.curation.nash_product import log_product, nash_shares
from tailweave.clients.curation.plateau import compromise_wins, plateau_rewards, plateau_share
from tailweave.clients.curation.preferences import quadratic
from tailweave.clients.curation.update import Curation
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.plural_rewards import PluralRewardsSpec
from tailweave.protocols.streams import stream
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Who = Literal["all", "one"]
Task = tuple[str, float, Who, int]
"""A part; its separation, gap, loss, weight or K; whose choices; and a seed."""

HALF_WIDTH = 6.0
"""The line is [-6, 6], and first samples are uniform on it."""
GAP = 4.0
"""Of plateaus beside a place that both preferences like almost best."""
WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the first of two parties, for which the weighted Nash product is maximised."""
_KEPT = 0.01
"""Share of rows from which on a mode counts as kept."""


def places(count: int, separation: float) -> Floats:
    """Return what each preference likes best, shape (R, 1): on a line around 0, the first on the right."""
    found: Floats = separation * ((count - 1) / 2 - np.arange(count, dtype=np.float64))[:, None]
    return found


@implements(PluralRewardsSpec)
class PluralRewardsStudy(Study[PluralRewardsSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return the exact parts, and then the loop of each K and seed."""
        spec, first = self.spec, self.spec.seeds[0]
        found: list[Task] = []
        if len(spec.weights) == 2:
            found += [("grid", separation, "all", first) for separation in spec.separations]
            found += [("plateau", gap, "all", first) for gap in spec.gaps]
            found += [("compromise", loss, "all", first) for loss in spec.losses]
            found += [("nash", weight, "all", first) for weight in WEIGHTS]
        whose: tuple[Who, ...] = ("all", "one") if len(spec.weights) > 1 else ("all",)
        each = [(float(k), who) for who in whose for k in spec.candidates]
        found += [("expected", k, who, first) for k, who in each]
        return [*found, *(("loop", k, who, seed) for k, who in each for seed in spec.seeds)]

    def rows(self, task: Task) -> list[Row]:
        """Return the rows of one part."""
        part, value, _, seed = task
        if part == "loop":
            found = self._loop(task)
        elif part == "expected":
            found = self._expected(task)
        else:
            found = _EXACT[part](self.spec, value)
        names: Row = {"part": part, "seed": seed, "q": self.spec.weights[0], "generation": 0}
        return [names | row for row in found]

    def _asked(self, who: Who) -> Floats:
        """Return the weights: those given, or all weight on the preference that is asked most."""
        weights = np.array(self.spec.weights)
        return weights if who == "all" else np.eye(len(weights))[int(weights.argmax())]

    def _expected(self, task: Task) -> list[Row]:
        spec, (_, candidates, who, _) = self.spec, task
        line = np.linspace(-HALF_WIDTH, HALF_WIDTH, spec.points)[:, None]
        rewards = quadratic(line, places(len(spec.weights), spec.separation))
        curation = Curation(rewards, self._asked(who), int(candidates))
        density, owner = np.full(spec.points, 1.0 / spec.points), rewards.argmax(axis=0)
        rows = []
        for generation in range(spec.generations + 1):
            shares = np.bincount(owner, density, minlength=len(spec.weights))
            rows.append(self._row(task, shares.astype(np.float64), generation))
            density = curation.step(density)
        return rows

    def _loop(self, task: Task) -> list[Row]:
        spec, (_, candidates, who, seed) = self.spec, task
        centres = places(len(spec.weights), spec.separation)
        drawn = stream(seed, "plural-rewards", "first").uniform(-HALF_WIDTH, HALF_WIDTH, (spec.samples, 1))
        curators = Curators(partial(quadratic, centres=centres), self._asked(who), int(candidates))

        def streams(generation: int, purpose: str) -> np.random.Generator:
            return stream(seed, "plural-rewards", int(candidates), "generation", generation, purpose)

        rows = []
        course = recursion(spec.generator, Samples.of(drawn), curators, spec.generations, streams)
        for generation, samples in enumerate(course):
            owner = quadratic(samples.values, centres).argmax(axis=0)
            counts = np.bincount(owner, minlength=len(centres))
            rows.append(self._row(task, counts / np.float64(spec.samples), generation))
        return rows

    def _row(self, task: Task, shares: Floats, generation: int) -> Row:
        _, candidates, who, _ = task
        return {
            "separation": self.spec.separation,
            "candidates": int(candidates),
            "asked": who,
            "generation": generation,
            "share": float(shares[0]),
            "least_share": float(shares.min()),
            "modes": int((shares >= _KEPT).sum()),
        }

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw shares by generation, and for two preferences the limits."""
        from tailweave.simulation.studies.plural_rewards_figures import draw_limits, draw_shares

        weight = self.spec.weights[0]
        drawn = {
            "shares": (
                f"Share of the first preference's mode, asked for {weight:g} of the choices; one of K "
                "candidates is kept. Bands: the generator, mean over seeds with its 95 % interval; dotted: "
                "the exact expectation.",
                draw_shares(self.spec, rows),
            )
        }
        if len(self.spec.weights) == 2:
            drawn["limits"] = (
                "Many candidates. Left: how far the share is from q, dotted the closed form of a plateau of "
                "gap d². Right: plateau rewards; line: closed form, dots: simulated, shaded: lemma 3.5.",
                draw_limits(self.spec, rows),
            )
        return drawn


def _limit(curation: Curation, density: Floats, steps: int) -> Floats:
    for _ in range(steps):
        density = curation.step(density)
    return density


def _grid(spec: PluralRewardsSpec, separation: float) -> list[Row]:
    """Follow the limit of many candidates on the line, at steps that double."""
    q, line = spec.weights[0], np.linspace(-HALF_WIDTH, HALF_WIDTH, spec.points)
    curation = Curation(quadratic(line[:, None], places(2, separation)), spec.weights)
    density, told = np.full(spec.points, 1.0 / spec.points), {2**i for i in range(spec.steps.bit_length())}
    rows = []
    for step in range(1, spec.steps + 1):
        density = curation.step(density)
        if step in told or step == spec.steps:
            share = float(density[line > 0].sum())
            rows.append(
                {"separation": separation, "generation": step, "share": share, "error": abs(share - q)}
            )
    return rows


def _plateau(spec: PluralRewardsSpec, gap: float) -> list[Row]:
    """Compare the limit on a plateau with the closed form, lemma 3.5 and theorem 3.6."""
    q, rewards = spec.weights[0], plateau_rewards(gap)
    density = _limit(Curation(rewards, spec.weights), np.array([0.2, 0.3, 0.5]), spec.steps)
    share, k = float(density[0]), float(np.exp(-gap))
    row: Row = {"gap": gap, "share": share, "outside": float(density[2])}
    row["error"] = abs(share - plateau_share(q, gap))
    if k < q < 1.0 - k:  # the lemma's condition
        row["beyond_bounds"] = max((q - k) / (1.0 - k) - share, share - q / (1.0 - k), 0.0)
        spread = density @ rewards[0] ** 2 - (density @ rewards[0]) ** 2
        row["variance_over_bound"] = float(spread / (share * (1.0 - share) * gap**2))
    return [row]


def _compromise(spec: PluralRewardsSpec, loss: float) -> list[Row]:
    """Follow the mass of a place that both preferences like almost best."""
    rewards = np.array([[0.0, -GAP, -loss], [-GAP, 0.0, -loss]])
    density = _limit(Curation(rewards, spec.weights), np.array([0.4, 0.4, 0.2]), spec.steps)
    return [{"loss": loss, "gains": int(compromise_wins(loss, GAP)), "outside": float(density[2])}]


def _nash(spec: PluralRewardsSpec, weight: float) -> list[Row]:
    """Maximise the weighted Nash product over mixtures of two normal distributions around the places.

    By a search that knows nothing of it but its value, and by the iteration of ``nash_shares``.
    """
    line, centres = np.linspace(-HALF_WIDTH, HALF_WIDTH, spec.points)[:, None], places(2, spec.separation)
    rewards = quadratic(line, centres)
    each = np.exp(rewards)  # normal, of variance 1/2
    utility = rewards @ (each / each.sum(axis=1, keepdims=True)).T  # (parties, distributions)
    disagreement, weights = utility[[0, 1], [1, 0]], (weight, 1.0 - weight)

    def loss(alpha: float) -> float:
        gained = utility @ np.array([alpha, 1.0 - alpha]) - disagreement
        return -float(log_product(np.log(gained)[:, None], weights)[0])

    searched = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-9}).x
    iterated = nash_shares(utility, disagreement, weights)[0]
    return [{"q": weight, "share": float(searched), "iterated": float(iterated)}]


_EXACT = {"grid": _grid, "plateau": _plateau, "compromise": _compromise, "nash": _nash}
