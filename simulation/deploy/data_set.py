# SPDX-License-Identifier: Apache-2.0
"""What a silo's owner sees and decides about the ledger of its rows."""

from pathlib import Path

from tailweave.clients.node import Node, open_node
from tailweave.clients.release.enrolment import Matches, enrol, look
from tailweave.clients.release.ledger import Ledger
from tailweave.clients.release.moving import old_ledger
from tailweave.clients.release.places import Own
from tailweave.clients.release.witness import check_all, released_table
from tailweave.simulation.deploy.node_settings import NODE_FILE, SiloNode

_LEDGER = "ledger.jsonl"


class DataSetError(ValueError):
    """A silo whose ledger cannot be used; the message names the silo and the remedy."""


def enrolled(node: SiloNode) -> Path:
    """Return the folder of a silo's ledger on this host, begun or brought up to date if need be.

    Raises:
        DataSetError: If rows, policy or ledger cannot be used.
    """
    opened, own = _opened(node)
    try:
        check_all(own.memory, own.ledgers)
        return enrol(own, opened.all_rows).folder
    except ValueError as error:
        raise DataSetError(_said(node, error)) from None


def refresh(node: SiloNode) -> str:
    """Begin a new version of a silo's data: its rows may be released anew, and the lifetime goes on.

    Raises:
        DataSetError: As ``enrolled``, or if the ledger cannot be written.
    """
    folder = enrolled(node)
    opened, own = _opened(node)
    try:
        with Ledger.open(folder / _LEDGER, create=True, simulation=opened.policy.allow_no_privacy) as ledger:
            due = ledger.refresh()
            enrol(own, opened.all_rows).remember(ledger.entries)
    except ValueError as error:
        raise DataSetError(_said(node, error)) from None
    if not due:
        return f"silo {node.name}: nothing was released since the last refresh, so none is due ({folder})"
    return f"silo {node.name}: a new data version began; the next question is answered from the rows of now"


def standing(node: SiloNode) -> str:
    """Say for the owner what a silo's ledger has spent, and whether rows have changed; nothing is written.

    Raises:
        DataSetError: If rows or ledger cannot be used, or the owner has to choose one.
    """
    opened, own = _opened(node)
    try:
        check_all(own.memory, own.ledgers)
        matches = look(own, opened.all_rows)
        old = old_ledger(own.state, own.silo)
        return _sentence(node, opened, own, matches, old)
    except (ValueError, OSError) as error:
        raise DataSetError(_said(node, error)) from None


def _sentence(node: SiloNode, opened: Node, own: Own, matches: Matches, old: Path | None) -> str:
    if not matches.known:
        begun = f"moved there from {old}" if old else "begun there"
        return f"no ledger of these rows in {own.ledgers} yet; it is {begun} at the first start"
    if len(matches.known) > 1:
        return f"{', '.join(sorted(matches.known))} are joined into {own.chosen} at the next start"
    (name,) = matches.known
    folder = own.ledgers / name
    if not (folder / _LEDGER).exists():
        return f"{name}: nothing was released yet"
    said = f"{name}: {_spent(opened, folder / _LEDGER)}"
    if released_table(folder) in (None, matches.rows.table if matches.rows else None):
        return said
    command = f"tailweave deploy refresh {node.folder}"
    return f"{said}; rows have changed since, the old release is sent until: {command}"


def _spent(opened: Node, path: Path) -> str:
    from tailweave.protocols.privacy.calibration import epsilon_of_rho

    policy = opened.policy
    with Ledger.open(path, create=False, simulation=policy.allow_no_privacy) as ledger:
        releases, rho = sum(entry.kind == "charge" for entry in ledger.entries), ledger.spent()
    if rho == 0.0:
        return "nothing was released yet"
    epsilon = epsilon_of_rho(rho, policy.delta) if rho < float("inf") else rho
    cap = "no lifetime-epsilon" if policy.lifetime_epsilon is None else f"of {policy.lifetime_epsilon:g}"
    return f"{releases} charged, lifetime's epsilon {epsilon:.3g} ({cap})"


def _opened(node: SiloNode) -> tuple[Node, Own]:
    try:
        opened = open_node(node.node_config(), {}, seed=0)
    except (ValueError, OSError) as error:
        raise DataSetError(_said(node, error)) from None
    if opened.own is None:
        raise DataSetError(_said(node, f"{node.path(node.data)}: vanished while it was read"))
    return opened, opened.own


def _said(node: SiloNode, error: object) -> str:
    return f"silo {node.name}: {error}; settings are in {node.folder / NODE_FILE}"
