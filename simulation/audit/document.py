# SPDX-License-Identifier: Apache-2.0
"""The keys of ``audit.json``, for programs that read it; every figure of ``audit.html`` is in it.

Numbers are not rounded. ``null`` stands where there is nothing: no epsilon claimed, no attack of that kind.
"""

import math
from collections.abc import Sequence
from typing import TypedDict

from tailweave.simulation.audit.findings import AuditResult, Finding

FORMAT = "tailweave-audit/1"
"""Changes when a key is renamed or means something else."""


class AttackDocument(TypedDict):
    """A reconstruction attack.

    ``rows`` were attacked, ``close`` recovered within 5 % of the median nearest-neighbour distance, ``exact``
    of them within 1e-6 public scale units; ``chance_*``: what guesses that know nothing would find on
    average; ``nearest``: median distance to the nearest guess, in median nearest-neighbour distances;
    ``one_release``: whether a single release was read; ``succeeded``: whether chance does not explain it.
    """

    name: str
    one_release: bool
    rows: int
    close: int
    exact: int
    chance_close: float
    chance_exact: float
    nearest: float
    succeeded: bool


class MembershipDocument(TypedDict):
    """A membership attack, with standard errors ``*_se`` and, where epsilon is claimed, its ceilings.

    ``auc``: area under the ROC curve; ``tpr``: true positives at one false positive in a hundred;
    ``silos``: attacked and averaged over.
    """

    auc: float
    auc_se: float
    auc_ceiling: float | None
    tpr: float
    tpr_se: float
    tpr_ceiling: float | None
    silos: int


class CanaryDocument(TypedDict):
    """The canary: ``mu`` with its standard error, and what the claim allows.

    ``mu_lower_bound`` is three standard errors below ``mu``, at least 0; above ``mu_allowed`` the claim is
    broken. ``saw`` says what was looked at, ``runs`` how often with and without the row.
    """

    mu: float
    standard_error: float
    mu_lower_bound: float
    mu_allowed: float
    saw: str
    runs: int


class GuessDocument(TypedDict):
    """How often the level of a category was guessed that an added row has, all else of it known.

    ``share`` of ``runs`` guesses were right, with its standard error; ``levels`` came into question, all as
    likely (``chance``); ``ceiling``: the most that theory allows, where epsilon is claimed.
    """

    column: str
    levels: int
    runs: int
    share: float
    standard_error: float
    chance: float
    ceiling: float | None


class PromiseDocument(TypedDict):
    """A promise of the settings that was looked up: its ``text``, and whether it was ``kept``."""

    text: str
    kept: bool


class FindingDocument(TypedDict):
    """One protocol at one epsilon.

    ``role``: ``as configured``, ``as recorded``, ``at the doors``, ``doors open``, ``for comparison`` or
    ``published``; only the first three can break a bound that counts for the reader. ``at the doors`` is what
    free questions and foreign code get from a silo under its default policy (an epsilon of 0 is claimed),
    ``doors open`` the same where the owner has opened both; ``for comparison`` tests the mechanism, the last
    is never used.
    ``claimed_epsilon`` and ``delta``: of one release, one row added or removed; ``noise_multiplier``: the z
    that they stand for; ``epsilon_lower_bound``: what the canary shows that epsilon is at least.
    ``verdict``: ``broken`` (``breaches`` says by what), ``holds``, ``no guarantee claimed``, ``no guarantee
    claimed; attack succeeds``, ``not attacked`` (a run kept no message of it), ``not used``, or with doors
    open ``attack succeeds`` or ``attack fails: it is blind``.
    """

    protocol: str
    arms: list[str]
    role: str
    claimed_epsilon: float | None
    delta: float | None
    noise_multiplier: float | None
    epsilon_lower_bound: float | None
    verdict: str
    breaches: list[str]
    note: str
    attacks: list[AttackDocument]
    promises: list[PromiseDocument]
    membership: MembershipDocument | None
    canary: CanaryDocument | None
    guesses: list[GuessDocument]


class AuditDocument(TypedDict):
    """The whole of ``audit.json``.

    ``target``: the path audited; ``broken``: whether any bound is, as the exit code 1 says; ``notes``: what
    figures do not say.
    """

    format: str
    name: str
    target: str
    broken: bool
    notes: list[str]
    findings: list[FindingDocument]


def document(result: AuditResult) -> dict[str, object]:
    """Return the result as JSON can hold it, bounds and verdicts included."""
    findings = [_finding(finding) for finding in result.findings]
    return _filled(AuditDocument, result, format=FORMAT, findings=findings)


def _finding(finding: Finding) -> dict[str, object]:
    canary, game = finding.canary, finding.membership
    return _filled(
        FindingDocument,
        finding,
        claimed_epsilon=finding.epsilon,
        delta=None if math.isnan(finding.delta) else finding.delta,
        noise_multiplier=None if finding.z is None or math.isinf(finding.z) else finding.z,
        epsilon_lower_bound=canary and canary.epsilon_bound(finding.delta),
        attacks=[_filled(AttackDocument, attack, attack.recovery) for attack in finding.attacks],
        promises=[_filled(PromiseDocument, promise) for promise in finding.promises],
        membership=game and _filled(MembershipDocument, game, finding),
        guesses=[
            _filled(GuessDocument, guess, ceiling=finding.guess_ceiling(guess)) for guess in finding.guesses
        ],
        canary=canary
        and _filled(CanaryDocument, canary, mu_lower_bound=canary.mu_bound, mu_allowed=canary.allowed),
    )


def _filled(keys: type, *of: object, **known: object) -> dict[str, object]:
    """Fill a document's keys with what is known, or else with the attributes of that name."""
    found = {key: known[key] if key in known else _first(key, of) for key in keys.__annotations__}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def _first(key: str, of: Sequence[object]) -> object:
    return next(getattr(one, key) for one in of if hasattr(one, key))
