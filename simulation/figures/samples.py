# SPDX-License-Identifier: Apache-2.0
"""Samples as pictures: a panel an arm, a line a generation, each sample with its nearest training image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tailweave.simulation.figures.style import look, plain

SIDE = 24
"""Least pixels a side: smaller pictures are enlarged by whole factors, so that no pixel is blurred."""
COLUMNS = 2
_WHITE = 255


def draw_samples(images: Mapping[str, NDArray[Any]], arms: Sequence[str]) -> Figure | None:
    """Draw what one silo's generators made, of ``images.npz``; None if there is nothing in it."""
    panels = {arm: found for arm in arms if (found := _lines(images, arm))}
    if not panels:
        return None
    sheets = {arm: _sheet(list(lines.values())) for arm, lines in panels.items()}
    height, width, _ = next(iter(sheets.values())).shape
    columns = min(COLUMNS, len(sheets))
    rows = -(-len(sheets) // columns)
    wide = 11.1 / COLUMNS
    with look():
        figure = Figure(
            figsize=(wide * columns, (wide * 0.86 * height / width + 0.4) * rows), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (arm, sheet) in zip(grid.flat, sheets.items(), strict=False):
            axes.imshow(sheet, interpolation="none", aspect="equal")
            line = height / len(panels[arm])
            axes.set_yticks(
                [(i + 0.5) * line for i in range(len(panels[arm]))], [str(g) for g in panels[arm]]
            )
            axes.set(xticks=[])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.grid(visible=False)
            axes.set_title(plain(arm))
        for axes in grid.flat[len(sheets) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel("generation")
    return figure


def _lines(images: Mapping[str, NDArray[Any]], arm: str) -> dict[int, list[NDArray[Any]]]:
    """Return generation to its pairs, each (h, 2 w + gap, 3)."""
    names = [name.removeprefix(f"{arm}/").removesuffix("/generated") for name in images]
    found = sorted(int(name) for name in names if name.isdecimal())
    return {
        generation: [
            _pair(made, near)
            for made, near in zip(
                images[f"{arm}/{generation}/generated"], images[f"{arm}/{generation}/nearest"], strict=True
            )
        ]
        for generation in found
    }


def _pair(made: NDArray[Any], near: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([_tile(made), _tile(near)], axis=1)


def _tile(picture: NDArray[Any]) -> NDArray[Any]:
    """Return one picture (h, w, c) enlarged, in three colours, with a thin white border."""
    factor = -(-SIDE // min(picture.shape[:2]))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    colours = np.broadcast_to(large, (*large.shape[:2], 3)) if large.shape[2] == 1 else large
    return np.pad(colours, ((1, 1), (1, 1), (0, 0)), constant_values=_WHITE)


def _sheet(lines: Sequence[Sequence[NDArray[Any]]]) -> NDArray[Any]:
    """Join pairs to lines and lines to one picture; a wider white gap stands between pairs."""
    gap = ((2, 2), (4, 4), (0, 0))
    joined = [
        np.concatenate([np.pad(pair, gap, constant_values=_WHITE) for pair in line], axis=1) for line in lines
    ]
    return np.concatenate(joined, axis=0)
