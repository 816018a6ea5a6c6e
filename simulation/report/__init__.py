# SPDX-License-Identifier: Apache-2.0
"""Reports, made from run folders alone: ``write_report(folder)``, ``write_comparison(folders, out)``."""

from tailweave.simulation.report.comparison import write_comparison
from tailweave.simulation.report.page import write_report

__all__ = ["write_comparison", "write_report"]
