# SPDX-License-Identifier: Apache-2.0
"""The release desk: the one place where something made from private rows may leave a silo.

Policy, rows, ledger; the kept release if there is one; else budget, *charge*, noise, keep, *sent*; then out.
What a killed process leaves behind, and what the next one does about it:

====================================  ================================================================
killed                                next time
====================================  ================================================================
before the charge's line is whole     as if it had never been asked
after it, before the release is kept  nothing was sent, the charge stands; a new draw needs a new charge
after that, before ``sent``           the kept bytes are sent, at no further cost
after ``sent``                        the kept bytes are sent; were they lost or changed, it refuses
====================================  ================================================================

The second row is paid for by the silo on purpose: a draw that was lost told nobody anything, but which draws
are lost may depend on what was drawn (time, memory), and then only counting all of them is right. Under the
default policy of one release a data version it means a refusal, until the owner raises that number.

Rows may change under a ledger. A question that was answered gets the kept bytes all the same, and a new one
is answered from the rows as they are, in the same data version, until the owner says ``refresh``: whether a
row was changed is private too, and each answer is what its promise says for the rows that it was made of.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.release.budget import EpsilonOfRho, check_lifetime, check_version, due
from tailweave.clients.release.chain import LedgerError
from tailweave.clients.release.ledger import Charge, Ledger
from tailweave.clients.release.policy import Policy, check, check_rows
from tailweave.clients.release.request import Request
from tailweave.clients.release.store import Kept, Store
from tailweave.clients.release.witness import Witness
from tailweave.clients.storage import StorageError
from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.privacy.gate import Cost
from tailweave.protocols.privacy.noise import Noise

Make = Callable[[Callable[[Cost], None]], Mapping[str, Floats]]
"""Makes a release; calls its argument once, with the price, before it draws noise."""
_SILO = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ACCOUNTING = 2e-4
"""Twice what the accountant may overstate an epsilon by; a release of the epsilon asked must pass."""


@dataclass(frozen=True)
class Desk:
    """A silo's desk.

    Attributes:
        folder: These rows' alone, outlives runs: ``ledger.jsonl``, head, lock, releases. An empty one may
            begin a ledger, one with any trace of releases never may.
        policy: The owner's.
        noise: What ``make`` draws from; its name goes into the ledger.
        epsilon_of_rho: ``protocols.privacy.calibration.epsilon_of_rho``.
        witness: On a real node what another folder remembers of the ledger; None in simulation.
    """

    folder: Path
    policy: Policy
    noise: Noise
    epsilon_of_rho: EpsilonOfRho
    witness: Witness | None = None

    @property
    def lasting(self) -> bool:
        """Whether a charge outlives a power cut: not in simulation, where the disk would take most time."""
        return self.witness is not None


def release_folder(state: Path, silo: str) -> Path:
    """Return a silo's folder of releases under the node's state folder.

    Raises:
        ValueError: If the silo's name is not made of a-z, 0-9, ``_`` and ``-``.
    """
    if not _SILO.fullmatch(silo):
        raise ValueError(f"silo must be a name of a-z, 0-9, _ and -, at most 64 long, got {silo[:80]!r}")
    return state / "releases" / silo


def answer(desk: Desk, rows: NDArray[Any], request: Request, make: Make) -> dict[str, Floats]:
    """Answer a request: the kept release again, or a new one, or a refusal.

    Args:
        desk: The silo's desk.
        rows: The silo's rows as they are on the node, before the feature map: numbers (n, p), or documents
            (n,).
        request: What the server asks.
        make: Makes the release; not called when one is kept or the desk refuses.

    Returns:
        The release's arrays as read back from the disk; the same bytes for the same question until
        the owner says ``refresh``, whatever has become of the rows.

    Raises:
        PolicyError: If the request is beyond the policy or the rows are too few.
        BudgetError: If no further release may be paid for.
        LedgerError: If the ledger cannot be trusted or written.
        StorageError: If a kept release is lost or changed.
        ValueError: If rows are not finite, or ``make`` breaks its contract or refuses.

    Privacy:
        What ``make`` promises, charged to the ledger before ``make`` draws; a repetition costs nothing.
        Refusals by policy and budget name bounds and what was asked, and may be sent; all other errors may
        name paths of the node and stay in its log. None names a value or a count of rows.
    """
    check(desk.policy, request)
    store = Store(desk.folder)
    if not store.held():
        _check_rows(desk.policy, request, rows)  # refused before a ledger is begun
    simulation = desk.policy.allow_no_privacy
    path, new = desk.folder / "ledger.jsonl", not store.held()
    with Ledger.open(path, create=new, simulation=simulation, lasting=desk.lasting) as ledger:
        _trusted(desk, store, ledger)
        version = ledger.version
        kept, sent = store.load(version, request.digest), ledger.payload(version, request.digest)
        if sent and (kept is None or kept.payload != sent):
            raise StorageError(
                f"{desk.folder}: request {request.digest[:12]} was answered before, and those bytes are "
                f"{'lost' if kept is None else 'changed'}; another answer would be a second release: "
                "put the file back from a copy"
            )
        if kept is None:
            kept = _released(desk, ledger, store, rows, request, make)
        if not sent:
            ledger.sent(version, request.digest, kept.payload)
        if desk.witness is not None:
            desk.witness.remember(ledger.entries)
        return kept.arrays


def _check_rows(policy: Policy, request: Request, rows: NDArray[Any]) -> None:
    check_rows(policy, request, len(rows))
    if rows.dtype.kind != "T":
        matrix(rows, "rows")


def _trusted(desk: Desk, store: Store, ledger: Ledger) -> None:
    """Refuse a ledger that something else remembers otherwise, or that another one has taken over."""
    if not all(ledger.charged(*names) for names in store.held()):  # ledger and head were put back together
        raise LedgerError(
            f"{desk.folder}: rolled back: a release is kept there that the ledger never charged"
        )
    if desk.witness is not None:
        desk.witness.check(ledger.entries)
    if ledger.closed is not None:
        raise LedgerError(f"{desk.folder}: its rows are in the ledger {ledger.closed} now; ask again")


def _released(
    desk: Desk, ledger: Ledger, store: Store, rows: NDArray[Any], request: Request, make: Make
) -> Kept:
    version = ledger.version
    check_version(desk.policy, ledger.charges(version))  # before a row is looked at
    _check_rows(desk.policy, request, rows)
    arrays = _made(desk, ledger, version, request, make)
    if desk.witness is not None:
        desk.witness.released()
    return store.save(version, request.digest, arrays, lasting=desk.lasting)


def _made(desk: Desk, ledger: Ledger, version: str, request: Request, make: Make) -> dict[str, Floats]:
    prices: list[Cost] = []
    before = ledger.charges(version)

    def charge(cost: Cost) -> None:
        prices.append(cost)
        if len(prices) == 1:
            _charge(desk, ledger, version, request, cost)

    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in make(charge).items()}
    paid = ledger.charges(version) - before
    if len(prices) != 1 or paid != 1:
        raise ValueError(
            f"a release must be charged once, got {len(prices)} calls and {paid} charges; nothing is sent"
        )
    if not arrays or not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(
            f"a release must be one or more finite arrays, got {sorted(arrays)}; nothing is sent"
        )
    return arrays


def _charge(desk: Desk, ledger: Ledger, version: str, request: Request, cost: Cost) -> None:
    asked = request.privacy
    if (cost.epsilon, cost.delta) != (asked.epsilon, asked.delta):
        raise ValueError(
            f"epsilon {asked.epsilon} at delta {asked.delta} was asked, the release costs {cost.epsilon} at "
            f"{cost.delta}; nothing was drawn"
        )
    noise = "none" if cost.rho is None else desk.noise.name
    price = Charge(version, request.digest, cost.epsilon, cost.delta, cost.rho, cost.mechanism, noise)
    if cost.rho is None or asked.epsilon is None:
        check_lifetime(desk.policy, ledger.spent(), math.inf, desk.epsilon_of_rho)
    else:
        costs = desk.epsilon_of_rho(cost.rho, asked.delta)
        if not costs <= asked.epsilon + _ACCOUNTING:
            raise ValueError(
                f"rho {cost.rho} is epsilon {costs}, asked was {asked.epsilon}; nothing was drawn"
            )
        epsilon, rho = due(desk.policy, request, cost.rho, desk.epsilon_of_rho)
        check_lifetime(desk.policy, ledger.spent(), rho, desk.epsilon_of_rho)
        price = replace(price, epsilon=epsilon, rho=rho)
    ledger.charge(price)
