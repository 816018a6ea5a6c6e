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
    axes.scatter([r["seconds"] for r in shown], [r["energy"] for r in shown], color="tab:gray", s=14)
    for r in shown:
        axes.annotate(
            r["method"], (r["seconds"], r["energy"]), xytext=(4, 3), textcoords="offset points", fontsize=7
        )
    first = shown[0]
    axes.margins(x=0.35)  # room for names
    axes.axvline(first["product"], color="tab:gray", linestyle=":", linewidth=1)
    size = f"{first['picks']:,} of {first['candidates']:,}, d = {first['columns']}"
    axes.set(xscale="log", yscale="log", xlabel=f"processor seconds ({size}; dotted: one product)")
    axes.set(ylabel="energy distance to unseen rows")
