# SPDX-License-Identifier: Apache-2.0
"""The pages of a finished run: its report, and for the paper's experiments "published against reproduced"."""

from pathlib import Path

from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.paper.run_page import write_published
from tailweave.simulation.report.page import write_report
from tailweave.simulation.report.wording import as_declared
from tailweave.simulation.run_folder import RunFolder, write_json


def write_pages(folder: RunFolder) -> Path:
    """Make summary, figures and all pages of a run, and return the report.

    Raises:
        ValueError: If the folder is incomplete or broken.
    """
    run = OpenRun(folder)
    write_json(folder.path / "summary.json", run.summary)
    with as_declared(folder.declared()):
        write_published(run)
        return write_report(run)
