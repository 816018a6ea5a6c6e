# SPDX-License-Identifier: Apache-2.0
"""Audit: attacks on what leaves the silos, beside what was promised."""

from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.command import run_audit
from tailweave.simulation.audit.recorded import audit_run

__all__ = ["audit", "audit_run", "run_audit"]
