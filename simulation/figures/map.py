# SPDX-License-Identifier: Apache-2.0
"""A 2-D map of one silo's samples: what the truth holds, what the generator offers, what is selected."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.simulation.figures.style import PAPER, colour_of, look, plain

Maps = Mapping[str, NDArray[Any]]
MOST_NAMED_MODES = 20
MOST_IN_THREE_STEPS = 8
"""Arms that are drawn at three generations; of more, the last one alone, in four columns."""
COLUMNS = 4


def draw_map(maps: Maps, arms: Sequence[str]) -> Figure | None:
    """Draw the first, middle and last generation of every arm as small multiples; of many arms, the last.

    Where there is one generation alone, arms stand side by side. Truth is grey, candidates faint, selected
    strong; None if no arm has positions.

    Raises:
        ValueError: If an array of positions is not of shape (n, 2).
    """
    stored = {arm: _generations(maps, arm) for arm in arms}
    drawn = [arm for arm in arms if stored[arm]]
    if not drawn:
        return None
    truth = _positions(maps, "truth_xy")
    lines = _laid_out({arm: stored[arm] for arm in drawn})
    cells = [cell for line in lines for cell in line]
    columns = max(map(len, lines))
    extent = _extent([truth, *(_positions(maps, f"{arm}/{g}/candidates") for arm, g in cells)])
    with look():
        figure = Figure(figsize=(3.7 * min(columns, 3), 2.25 * len(lines)), layout="constrained")
        grid = figure.subplots(len(lines), columns, squeeze=False)
        for line, row in zip(grid, lines, strict=True):
            for axes, (arm, generation) in zip(line, row, strict=False):
                _draw_cell(axes, maps, f"{arm}/{generation}", colour_of(arms)[arm])
                axes.set_title(
                    f"{plain(arm, 28)}, generation {generation}" if columns < COLUMNS else plain(arm)
                )
                axes.set(xlim=extent[0], ylim=extent[1])
            for axes in line[len(row) :]:
                axes.remove()
    return figure


def _laid_out(stored: Mapping[str, list[int]]) -> list[list[tuple[str, int]]]:
    """Return the rows of the figure: arm and generation of each cell."""
    if len(stored) <= MOST_IN_THREE_STEPS and any(len(found) > 1 for found in stored.values()):
        return [[(arm, generation) for generation in _three(found)] for arm, found in stored.items()]
    last = [(arm, found[-1]) for arm, found in stored.items()]
    return [last[i : i + COLUMNS] for i in range(0, len(last), COLUMNS)]


def _generations(maps: Maps, arm: str) -> list[int]:
    keys = [key.split("/") for key in maps]
    return sorted({int(key[1]) for key in keys if len(key) == 3 and key[0] == arm and key[2] == "candidates"})


def _three(generations: list[int]) -> list[int]:
    return sorted({generations[0], generations[len(generations) // 2], generations[-1]})


def _positions(maps: Maps, name: str) -> Floats:
    if name not in maps:
        return np.empty((0, 2))
    positions = np.asarray(maps[name], dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ValueError(f"maps.npz: {name} must have shape (n, 2), got {positions.shape}")
    return positions


def _extent(clouds: list[Floats]) -> list[tuple[float, float]]:
    """Return limits that hold all but the outermost 0.5 % of points on each side, plus a margin."""
    every = np.concatenate(clouds)
    low, high = np.quantile(every, [0.005, 0.995], axis=0)
    margin = 0.08 * np.maximum(high - low, 1e-9)
    return [(float(a), float(b)) for a, b in zip(low - margin, high + margin, strict=True)]


def _draw_cell(axes: Axes, maps: Maps, key: str, colour: str) -> None:
    truth = _positions(maps, "truth_xy")
    candidates, selected = _positions(maps, f"{key}/candidates"), _positions(maps, f"{key}/selected")
    for cloud, ink, size, alpha in (
        (truth, "#8c8c8c", 9.0, 0.35),
        (candidates, colour, 5.0, 0.22),
        (selected, colour, 8.0, 0.95),
    ):
        axes.scatter(cloud[:, 0], cloud[:, 1], s=size, color=ink, alpha=alpha, linewidths=0, rasterized=True)
    labels = np.asarray(maps.get("truth_label", np.empty(0))).astype(str)
    names = np.unique(labels)
    halo = [withStroke(linewidth=2.5, foreground=PAPER)]
    if len(labels) == len(truth) and len(names) <= MOST_NAMED_MODES:
        for name in names:
            x, y = np.median(truth[labels == name], axis=0)
            axes.annotate(
                plain(name, 10),
                (x, y),
                fontsize=8.5,
                weight="bold",
                ha="center",
                va="center",
                path_effects=halo,
            )
    axes.set(xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(True)
    axes.grid(visible=False)
