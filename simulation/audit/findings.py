# SPDX-License-Identifier: Apache-2.0
"""What an audit found about one protocol, and whether a promise is broken."""

import math
from dataclasses import dataclass
from typing import Literal

from tailweave.protocols.privacy.calibration import epsilon_of
from tailweave.simulation.audit.ceilings import auc_ceiling, guess_ceiling, tpr_ceiling
from tailweave.simulation.audit.recovered import Recovery
from tailweave.simulation.audit.scores import FPR, Membership

Role = Literal["as configured", "as recorded", "at the doors", "doors open", "for comparison", "published"]
Verdict = Literal[
    "broken",
    "holds",
    "no guarantee claimed",
    "no guarantee claimed; attack succeeds",
    "not attacked",
    "not used",
    "attack succeeds",
    "attack fails: it is blind",
]
NO_PROMISE: tuple[Role, ...] = ("doors open", "published")
"""Roles in which nothing is promised, so nothing can be broken."""

WHOLE = "the whole release"
ERRORS = 3.0
"""Standard errors that a measured figure must lie beyond its bound to break it (false alarm 1.4e-3)."""


@dataclass(frozen=True)
class Attack:
    """A reconstruction attack and what it recovered.

    No raw row may ever stand in what an attack on ``one_release`` reads, noise or not.
    """

    name: str
    recovery: Recovery
    one_release: bool = False


@dataclass(frozen=True)
class Promise:
    """Something that the settings promise and that can be looked up in what was sent."""

    text: str
    kept: bool


@dataclass(frozen=True)
class Canary:
    """How well one extra row is seen through the release code path.

    Attributes:
        mu: Separation reached; a noise multiplier z promises at most 1 / z.
        standard_error: Of ``mu``.
        runs: Releases with and as many without the row.
        allowed: Largest separation that the noise of what was looked at may leave.
        saw: What was looked at: ``the whole release``, or a part of it that has noise of its own.
    """

    mu: float
    standard_error: float
    runs: int
    allowed: float
    saw: str = WHOLE

    @property
    def mu_bound(self) -> float:
        """Lower bound of the separation, at least 0."""
        return max(0.0, self.mu - ERRORS * self.standard_error)

    def epsilon_bound(self, delta: float) -> float:
        """Return the epsilon that the release code path has at least, as far as this attack shows."""
        return epsilon_of(1.0 / self.mu_bound, delta) if self.mu_bound > 0.0 else 0.0


@dataclass(frozen=True)
class LevelGuess:
    """How often the level was guessed that a row which was added has in one category.

    Attributes:
        column: The category.
        levels: How many came into question, all as likely.
        share: Right guesses of all.
        standard_error: Of ``share``.
        runs: Guesses.
    """

    column: str
    levels: int
    share: float
    standard_error: float
    runs: int

    @property
    def chance(self) -> float:
        """Share of right guesses without any release."""
        return 1.0 / self.levels


@dataclass(frozen=True)
class Finding:
    """One protocol at one epsilon.

    Attributes:
        protocol: The reference in a few words.
        arms: Arms that use it.
        role: Why it was audited.
        epsilon: Claimed; None if nothing is.
        delta: Of that epsilon.
        z: Noise multiplier that the claim stands for; None without.
        attacks: Reconstruction attacks.
        promises: Looked up in what was sent.
        membership: Result of the membership attack; None if there was too little data for one.
        canary: Audit of the release code path; None without noise.
        guesses: Of the categories of a row; none where rows have no declared ones.
        note: What the reader must know of this one.
        hands_out_rows: Whether silos answer with projections of their rows, by design.
    """

    protocol: str
    arms: tuple[str, ...]
    role: Role
    epsilon: float | None = None
    delta: float = math.nan
    z: float | None = None
    attacks: tuple[Attack, ...] = ()
    promises: tuple[Promise, ...] = ()
    membership: Membership | None = None
    canary: Canary | None = None
    guesses: tuple[LevelGuess, ...] = ()
    note: str = ""
    hands_out_rows: bool = False

    @property
    def auc_ceiling(self) -> float | None:
        """Largest AUC that theory allows in a game with a known number of rows; None without noise."""
        return None if self.z is None else auc_ceiling(self.z)

    @property
    def tpr_ceiling(self) -> float | None:
        """Largest true-positive rate at ``FPR`` in the same game; None without noise."""
        return None if self.z is None else tpr_ceiling(self.z, FPR)

    def guess_ceiling(self, guess: LevelGuess) -> float | None:
        """Return the largest share of right guesses that theory allows; None without noise."""
        return None if self.z is None else guess_ceiling(self.z, guess.levels)

    @property
    def breaches(self) -> tuple[str, ...]:
        """Broken promises, one sentence each."""
        if self.role in NO_PROMISE:
            return ()
        return (
            *(_recovered(a) for a in self.attacks if self._forbidden(a)),
            *(f"not kept: {promise.text}" for promise in self.promises if not promise.kept),
            *self._statistical(),
        )

    def _forbidden(self, attack: Attack) -> bool:
        found = attack.recovery
        raw_row = attack.one_release and found.exact > found.chance_exact
        return raw_row or (self.epsilon is not None and found.succeeded)

    def _statistical(self) -> tuple[str, ...]:
        said, game, ceiling = [], self.membership, self.auc_ceiling
        if game and ceiling is not None and game.auc - ERRORS * game.auc_se > ceiling:
            said.append(f"membership: AUC {game.auc:.3f} is above the ceiling {ceiling:.3f}")
        if self.canary and self.canary.mu_bound > self.canary.allowed:
            said.append(self._seen(self.canary))
        for guess in self.guesses:
            most = self.guess_ceiling(guess)
            if most is not None and guess.share - ERRORS * guess.standard_error > most:
                said.append(f"{guess.column} of an added row: {guess.share:.3f} guessed, ceiling {most:.3f}")
        return tuple(said)

    def _seen(self, canary: Canary) -> str:
        if canary.saw == WHOLE:
            bound = canary.epsilon_bound(self.delta)
            return f"canary: epsilon is at least {bound:.2f}, {self.epsilon:g} is claimed"
        return (
            f"canary: {canary.saw} tells the row apart by mu = {canary.mu_bound:.3f} or more, its noise "
            f"should leave {canary.allowed:.3f}"
        )

    @property
    def verdict(self) -> Verdict:
        """The finding in a few words."""
        if self.role == "published":
            return "not used"
        read = any(attack.recovery.succeeded for attack in self.attacks)
        if self.role == "doors open":
            return "attack succeeds" if read else "attack fails: it is blind"
        if not (self.attacks or self.promises or self.membership or self.canary):
            return "not attacked"
        if self.breaches:
            return "broken"
        if self.epsilon is not None:
            return "holds"
        return "no guarantee claimed; attack succeeds" if read else "no guarantee claimed"


@dataclass(frozen=True)
class AuditResult:
    """All findings about one config or run."""

    name: str
    target: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def broken(self) -> bool:
        """Whether any promise is broken."""
        return any(finding.verdict == "broken" for finding in self.findings)


def _recovered(attack: Attack) -> str:
    found = attack.recovery
    figures = f"{found.close:,} of {found.rows:,} rows recovered, {found.exact:,} of them exactly"
    rule = "; no release may hold a row" if attack.one_release else ""
    return f"{attack.name}: {figures}{rule}"
