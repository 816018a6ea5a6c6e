# SPDX-License-Identifier: Apache-2.0
"""The figure of ``scale.py``: seconds against candidates; quality against seconds of methods side by side."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

_COLOURS = {"points": "tab:blue", "sketch": "tab:orange", "bins": "tab:green"}


def draw(kept: dict[str, Any], picture: Path) -> None:
    """Draw what ``scale.py`` wrote as an SVG whose bytes depend on nothing else."""
    mpl.rcParams["svg.hashsalt"] = "tailweave"
    figure, (time, quality) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    _times(time, kept["cases"]["candidates"], kept["slopes"]["candidates"])
    _peers(quality, kept["cases"]["peers"])
    figure.savefig(picture, metadata={"Date": None})
    plt.close(figure)


def _times(axes: Any, results: list[dict[str, Any]], slopes: dict[str, float]) -> None:
    for method, slope in slopes.items():
        how, form = method.split(", ")
        mine = sorted((r["candidates"], r["seconds"]) for r in results if r["method"] == method)
        style = {"color": _COLOURS[form], "linestyle": "-" if how == "windows" else ":", "marker": "."}
        axes.loglog(*zip(*mine, strict=True), label=f"{method} (slope {slope:.2f})", **style)
    axes.set(xlabel="candidates N, of which N/4 are picked (d = 64)", ylabel="processor seconds")
    axes.legend(fontsize=8)


def _peers(axes: Any, results: list[dict[str, Any]]) -> None:
    shown = [r for r in results if "energy" in r]
    for r, marker in zip(shown, "o^oPDsvX*h", strict=False):
        how, _, form = r["method"].partition(", ")
        colour = _COLOURS.get(form, "black")
        face = colour if how == "windows" else "none"
        mark = {"marker": marker, "s": 36, "edgecolors": colour, "facecolors": face}
        axes.scatter(r["seconds"], r["energy"], label=r["method"], **mark)
    axes.legend(fontsize=8, loc="lower left")
    first = shown[0]
    axes.margins(x=0.1)
    axes.axvline(first["product"], color="tab:gray", linestyle=":", linewidth=1)
    size = f"{first['picks']:,} of {first['candidates']:,}, d = {first['columns']}"
    axes.set(xscale="log", yscale="log", xlabel=f"processor seconds ({size}; dotted: one product)")
    axes.set(ylabel="energy distance to unseen rows")
