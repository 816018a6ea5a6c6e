# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit CONFIG|RUN_DIR``: attack, write the report, say whether a promise is broken."""

from dataclasses import replace

from rich.console import Console
from threadpoolctl import threadpool_limits

from tailweave.clients.node import forget
from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.doors import knock
from tailweave.simulation.audit.recorded import audit_run
from tailweave.simulation.audit.report import write_audit
from tailweave.simulation.audit.request import AuditRequest
from tailweave.simulation.audit.terminal import print_audit
from tailweave.simulation.run_folder import RunFolder


def run_audit(request: AuditRequest, console: Console) -> int:
    """Audit a config (what it would send) or a run folder (what it sent).

    Returns:
        Exit code: 1 if a promise is broken, else 0.

    Raises:
        ValueError: If the target cannot be audited.
    """
    forget()
    with threadpool_limits(1):  # many small products: threads only get in each other's way
        if request.experiment is None:
            result = audit_run(RunFolder(request.target), runs=request.runs)
        else:
            result = audit(request.experiment, str(request.target), runs=request.runs)
        result = replace(result, findings=(*result.findings, *knock(request.questions)))
    request.out.mkdir(parents=True, exist_ok=True)
    page = write_audit(result, request.out)
    print_audit(result, console)
    console.print(f"report: {page}", soft_wrap=True)
    return 1 if result.broken else 0
