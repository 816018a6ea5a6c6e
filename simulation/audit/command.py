# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit CONFIG|RUN_DIR``: attack, write the report, say whether a promise is broken."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from protocols.config.load import ConfigError, load_experiment
from simulation.audit.audit import audit
from simulation.audit.findings import AuditResult, Finding
from simulation.audit.recorded import audit_run
from simulation.audit.report import headline, write_audit
from simulation.run_folder import RunFolder


def run_audit(target: Path, out: Path | None, console: Console, overrides: Sequence[str] = ()) -> int:
    """Audit a config (what it would send) or a run folder (what it sent).

    Args:
        target: A YAML file, or a folder that ``tailweave run`` wrote.
        out: Folder for ``audit.html`` and ``audit.json``; by default the run folder itself, or
            ``runs/<name of the config>-audit``.
        console: Where the summary goes.
        overrides: ``key.path=value`` each; for a config only.

    Returns:
        Exit code: 1 if a promise is broken, else 0.

    Raises:
        ValueError: If the target is neither, or cannot be audited.
    """
    if target.is_dir() and overrides:
        raise ConfigError(f"--set changes a config; {target} is a run that has been made")
    with threadpool_limits(1):  # many small products: threads only get in each other's way
        if target.is_dir():
            result, folder = audit_run(RunFolder(target)), out or target
        else:
            result = audit(load_experiment(target, overrides), str(target))
            folder = out or Path("runs") / f"{target.stem}-audit"
    folder.mkdir(parents=True, exist_ok=True)
    page = write_audit(result, folder)
    _print(result, console)
    console.print(f"report: {page}", soft_wrap=True)
    return 1 if result.broken else 0


def _print(result: AuditResult, console: Console) -> None:
    shown = Table(box=None, pad_edge=False)
    for column in ("protocol", "epsilon", "rows recovered", "AUC", "ceiling", "verdict"):
        shown.add_column(column)
    for finding in result.findings:
        shown.add_row(*_cells(finding), style="red" if finding.verdict == "broken" else None)
    console.print(shown)
    for finding in result.findings:
        for breach in finding.breaches:
            console.print(f"broken: {finding.protocol}: {breach}", style="red", soft_wrap=True)
    for note in result.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
    console.print(headline(result), style="red" if result.broken else "bold")


def _cells(finding: Finding) -> tuple[str, ...]:
    rows = "\n".join(f"{a.name} {a.recovery.close}/{a.recovery.rows}" for a in finding.attacks)
    auc = "" if finding.membership is None else f"{finding.membership.auc:.3f}"
    ceiling = "" if finding.auc_ceiling is None else f"{finding.auc_ceiling:.3f}"
    epsilon = "none" if finding.epsilon is None else f"{finding.epsilon:g}"
    return finding.protocol, epsilon, rows, auc, ceiling, finding.verdict
