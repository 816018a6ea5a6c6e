# SPDX-License-Identifier: Apache-2.0
"""What an audit leaves behind: ``audit.html``, one self-contained page, and ``audit.json``."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader

from simulation.audit.findings import Attack, AuditResult, Finding
from simulation.audit.recovered import CLOSE, EXACT
from simulation.report.page import templates
from simulation.report.tables import BLANK, Cell, Line, Table
from simulation.report.wording import counted, listed, number
from simulation.run_folder import write_json, write_text

ROLES = {
    "as configured": "What this config sends",
    "as recorded": "What this run sent",
    "for comparison": "The same with the other setting of epsilon, for comparison",
    "published": "The published protocols on the same rows, for comparison",
}
COLOURS = {"broken": "var(--red)", "holds": "var(--accent)"}


def write_audit(result: AuditResult, folder: Path) -> Path:
    """Write ``audit.json`` and ``audit.html``.

    Args:
        result: What was found.
        folder: Where to; it must exist.

    Returns:
        Path of the page.
    """
    write_json(folder / "audit.json", as_json(result))
    page = folder / "audit.html"
    html = (
        _templates()
        .get_template("audit.html.j2")
        .render(
            result=result,
            headline=headline(result),
            sentences=sentences(result),
            groups=[(ROLES[role], table(found)) for role in ROLES if (found := _of_role(result, role))],
            breaches=[(finding, finding.breaches) for finding in result.findings if finding.breaches],
            readable=readable(result),
            kept=kept(result),
            open=any(f.epsilon is None for f in _own(result)),
            exact=EXACT,
            close=f"{100 * CLOSE:g} %",
        )
    )
    write_text(page, html)
    return page


def as_json(result: AuditResult) -> dict[str, Any]:
    """Return the result as JSON can hold it, bounds and verdicts included."""
    return {
        "name": result.name,
        "target": result.target,
        "broken": result.broken,
        "notes": list(result.notes),
        "findings": [_finding(finding) for finding in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    found = asdict(finding)
    found["delta"] = None if math.isnan(finding.delta) else finding.delta
    for attack, given in zip(found["attacks"], finding.attacks, strict=True):
        attack["succeeded"] = given.recovery.succeeded
    bound = finding.canary.epsilon_bound(finding.delta) if finding.canary else None
    return {
        **found,
        "verdict": finding.verdict,
        "breaches": list(finding.breaches),
        "auc_ceiling": finding.auc_ceiling,
        "tpr_ceiling": finding.tpr_ceiling,
        "epsilon_lower_bound": bound,
    }


def headline(result: AuditResult) -> str:
    """Return the answer in a few words."""
    if result.broken:
        return "A promise is broken"
    if not _own(result):
        return "Nothing leaves the silos but metrics"
    if any(f.epsilon is None for f in _own(result)):
        return "No privacy guarantee is claimed"
    return "All promises held"


def readable(result: AuditResult) -> str:
    """Say in a few words by which attacks rows can be read out of what this config or run sends."""
    names = dict.fromkeys(a.name for f in _own(result) for a in f.attacks if a.recovery.succeeded)
    return f"Yes, by {listed(list(names))}" if names else "No row was recovered"


def sentences(result: AuditResult) -> list[str]:
    """Say what was recovered, one sentence for each protocol."""
    said = []
    for f in result.findings:
        epsilon = "without noise" if f.epsilon is None else f"at ε = {f.epsilon:g}"
        attacks = [
            f"{a.name} recovered {a.recovery.close} of {counted(a.recovery.rows, 'row')}" for a in f.attacks
        ]
        where = f.protocol if f.role == "published" else f"{f.protocol}, {epsilon}"
        said.append(f"{where}: {listed(attacks)}.")
    return said


def kept(result: AuditResult) -> list[str]:
    """Return the promises that were looked up and found kept, each once."""
    held = [p.text for f in result.findings for p in f.promises if p.kept]
    lost = [p.text for f in result.findings for p in f.promises if not p.kept]
    return [text for text in dict.fromkeys(held) if text not in lost]


def table(findings: Sequence[Finding]) -> Table:
    """Lay findings out: one line each, attacks in columns; columns that are empty throughout are left out."""
    names = list(dict.fromkeys(a.name for f in findings for a in f.attacks))
    heads = [
        ("verdict", ""),
        *((name, "Rows recovered of rows attacked; below, exactly recovered.") for name in names),
        ("membership AUC", "0.5 is guessing; below, the most that theory allows with this noise."),
        ("TPR at 1 %", "Members found while one non-member in a hundred is accused; below, the ceiling."),
        ("ε claimed", "Privacy cost of one release, for one row added or removed."),
        ("ε shown", "At least this much, as far as the canary attack shows."),
    ]
    cells = [
        (_verdict(f), *(_recovery(f, n) for n in names), *_membership(f), *_epsilon(f)) for f in findings
    ]
    used = [i for i in range(len(heads)) if any(line[i] != BLANK for line in cells)]
    lines = [
        Line(
            f.protocol,
            tuple(line[i] for i in used),
            ", ".join(f.arms),
            COLOURS.get(f.verdict, "var(--muted)"),
        )
        for f, line in zip(findings, cells, strict=True)
    ]
    caption = "Rows recovered, membership and epsilon. Bold: more rows than chance explains."
    return Table(caption, "protocol", tuple(heads[i] for i in used), tuple(lines))


def _verdict(finding: Finding) -> Cell:
    first, _, rest = finding.verdict.partition("; ")
    return Cell(first, rest, "clear")


def _recovery(finding: Finding, name: str) -> Cell:
    attack: Attack | None = next((a for a in finding.attacks if a.name == name), None)
    if attack is None:
        return BLANK
    found = attack.recovery
    return Cell(
        f"{found.close} of {found.rows}", f"{found.exact} exactly", "clear" if found.succeeded else ""
    )


def _membership(finding: Finding) -> tuple[Cell, Cell]:
    game = finding.membership
    if game is None:
        return BLANK, BLANK
    return (
        Cell(f"{number(game.auc, 3)} ± {number(game.auc_se, 3)}", _ceiling(finding.auc_ceiling)),
        Cell(f"{number(game.tpr, 3)} ± {number(game.tpr_se, 3)}", _ceiling(finding.tpr_ceiling)),
    )


def _ceiling(value: float | None) -> str:
    return "no ceiling" if value is None else f"ceiling {number(value, 3)}"


def _epsilon(finding: Finding) -> tuple[Cell, Cell]:
    if finding.canary is None:
        none = BLANK if finding.role == "published" else Cell("none")
        return (none if finding.epsilon is None else Cell(f"{finding.epsilon:g}")), BLANK
    bound = number(finding.canary.epsilon_bound(finding.delta), 2)
    return Cell(f"{finding.epsilon:g}"), Cell(f"≥ {bound}", f"{finding.canary.runs:,} runs")


def _own(result: AuditResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.role in ("as configured", "as recorded")]


def _of_role(result: AuditResult, role: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.role == role]


def _templates() -> Environment:
    """Return the report's templates with this package's beside them."""
    environment = templates()
    environment.loader = ChoiceLoader(
        [PackageLoader("simulation", "audit"), PackageLoader("simulation", "report")]
    )
    return environment
