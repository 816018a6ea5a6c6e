# SPDX-License-Identifier: Apache-2.0
"""The audit in a terminal: one block a protocol, one line an attack."""

from collections.abc import Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tailweave.simulation.audit.findings import AuditResult, Finding
from tailweave.simulation.audit.report import ROLES, UNPRICED, headline
from tailweave.simulation.report.wording import number

_WIDE = 76
"""Columns from which on figures of all protocols stand below each other."""
_WIDTH, _FIGURE = 24, 18
_STYLES = {"broken": "bold red", "holds": "green"}


def print_audit(result: AuditResult, console: Console) -> None:
    """Print every finding under the title of its role, then breaches, notes and the answer."""
    for role, title in ROLES.items():
        found = [finding for finding in result.findings if finding.role == role]
        if found:
            console.print(f"\n{title}", style="bold")
        for finding in found:
            _print_finding(finding, console)
    console.print()
    for finding in result.findings:
        for breach in finding.breaches:
            console.print(f"broken: {finding.protocol}: {breach}", style="red")
    for note in result.notes:
        console.print(f"note: {note}", style="yellow")
    console.print(headline(result), style="red" if result.broken else "bold")


def _print_finding(finding: Finding, console: Console) -> None:
    epsilon = "" if finding.role in UNPRICED else f", {_epsilon(finding)}"
    said = Text(f"{finding.protocol}{epsilon}: ")
    said.append(finding.verdict, style=_STYLES.get(finding.verdict, "yellow"))
    console.print(said)
    wide = console.width >= _WIDE
    lines = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3 if wide else 1, 0, 0))
    lines.add_column(no_wrap=True, min_width=_WIDTH if wide else None)
    lines.add_column(justify="right", no_wrap=True, min_width=_FIGURE if wide else None)
    lines.add_column()
    for line in _lines(finding):
        lines.add_row(*line)
    if lines.row_count:
        console.print(lines)
    if finding.note:
        console.print(Padding(finding.note, (0, 0, 0, 2)))


def _epsilon(finding: Finding) -> str:
    return "without noise" if finding.epsilon is None else f"epsilon {finding.epsilon:g}"


def _lines(finding: Finding) -> Iterator[tuple[str, str, str]]:
    for attack in finding.attacks:
        found = attack.recovery
        yield f"  {attack.name}", f"{found.close:,} of {found.rows:,} rows", f"{found.exact:,} exactly"
    game, ceiling = finding.membership, finding.auc_ceiling
    if game is not None:
        bound = "no ceiling" if ceiling is None else f"ceiling {number(ceiling, 3)}"
        yield "  membership", f"AUC {number(game.auc, 3)} ± {number(game.auc_se, 3)}", bound
    canary = finding.canary
    if canary is not None:
        mu = f"mu {number(canary.mu, 3)} ± {number(canary.standard_error, 3)}"
        shown = number(canary.epsilon_bound(finding.delta), 2)
        yield "  canary", f"epsilon >= {shown}", f"{mu} (max {number(canary.allowed, 3)})"
    for guess in finding.guesses:
        most = finding.guess_ceiling(guess)
        bound = "no ceiling" if most is None else f"ceiling {number(most, 3)}"
        said = f"{number(guess.share, 3)} ± {number(guess.standard_error, 3)}"
        yield f"  guess {guess.column}", said, f"{bound}, chance {number(guess.chance, 3)}"
