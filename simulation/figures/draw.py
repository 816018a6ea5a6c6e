# SPDX-License-Identifier: Apache-2.0
"""All figures of a run, drawn from its folder."""

from pathlib import Path

from tailweave.simulation.figures.concentration import draw_concentration
from tailweave.simulation.figures.curves import draw_curves
from tailweave.simulation.figures.map import draw_map
from tailweave.simulation.figures.memorization import draw_memorization
from tailweave.simulation.figures.retention import draw_retention
from tailweave.simulation.figures.samples import draw_samples
from tailweave.simulation.figures.shares import draw_shares
from tailweave.simulation.figures.silos import draw_silos
from tailweave.simulation.figures.style import save
from tailweave.simulation.figures.wire import draw_wire
from tailweave.simulation.images import shows_images
from tailweave.simulation.open_run import OpenRun


def draw_figures(run: OpenRun) -> list[Path]:
    """Draw every figure that the run has data for into ``figures/``, and return their paths.

    A figure drawn earlier that has no data any more is removed.

    Raises:
        ValueError: If the folder is incomplete or a row in it is broken.
    """
    config, table, folder = run.config, run.table, run.folder
    drawn = {
        "curves": draw_curves(table),
        "silos": draw_silos(table),
        "concentration": draw_concentration(table),
        "memorization": draw_memorization(table) if shows_images(config) else None,
        "samples": draw_samples(folder.images(), table.arms),
        "retention": draw_retention(table, config),
        "map": draw_map(folder.maps(), table.arms),
        "shares": draw_shares(table),
        "wire": draw_wire(run.summary["revealed"]),
    }
    home = folder.path / "figures"
    home.mkdir(exist_ok=True)
    paths = []
    for name, figure in drawn.items():
        path = home / f"{name}.svg"
        if figure is None:
            path.unlink(missing_ok=True)
        else:
            paths.append(save(figure, path))
    return paths
