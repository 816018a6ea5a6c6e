# SPDX-License-Identifier: Apache-2.0
"""One look for all figures: colours that colour-blind readers can tell apart, and SVG of stable bytes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

INK, MUTED, GRID, PAPER = "#1f2430", "#667080", "#c9ced6", "#ffffff"
"""The report replaces these four by the colours of its light or dark page."""

_ARM_COLOURS = ("#e69f00", "#d55e00", "#cc79a7", "#0072b2", "#009e73", "#56b4e9", "#8c8c8c")
_LINES = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.2, 1.2, 1.2)))

_RC: dict[Any, Any] = {
    "svg.hashsalt": "tailweave",
    "svg.fonttype": "path",
    "text.parse_math": False,  # a label such as "$x" is a name, not TeX
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.alpha": 0.45,
    "grid.linewidth": 0.7,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "legend.frameon": False,
    "lines.linewidth": 1.9,
}


@contextmanager
def look() -> Iterator[None]:
    """Draw with the look of the project; matplotlib's own settings come back afterwards."""
    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # ``save`` sees to it
        yield


def colour_of(arms: Sequence[str]) -> dict[str, str]:
    """Return the colour of each arm: by position, so that an arm keeps it through all figures.

    From the eighth on colours return, told apart by ``line_of``.

    Source:
        Okabe & Ito (2008), Color Universal Design.
    """
    return {arm: _ARM_COLOURS[i % len(_ARM_COLOURS)] for i, arm in enumerate(arms)}


def line_of(arms: Sequence[str]) -> dict[str, Any]:
    """Return the line style of each arm; it changes when the colours have been used up."""
    return {arm: _LINES[i // len(_ARM_COLOURS) % len(_LINES)] for i, arm in enumerate(arms)}


def plain(text: str, limit: int = 28) -> str:
    """Return a name as it may be drawn: printable, not blank, and at most ``limit`` characters."""
    shown = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    shown = shown.strip() or "(blank)"
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many columns of a legend of these names fit a figure ``width`` inches wide: at most 6."""
    widest = 0.65 + 0.083 * max(map(len, names))  # a handle, and a character of the legend's size
    return max(1, min(len(names), 6, int(width / widest)))


def arm_legend(figure: Figure, arms: Sequence[str]) -> None:
    """Put one legend above all panels, where it covers no data."""
    colours, lines = colour_of(arms), line_of(arms)
    names = [plain(arm) for arm in arms]
    handles = [Line2D([], [], color=colours[arm], linestyle=lines[arm], linewidth=2.6) for arm in arms]
    figure.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=legend_columns(names, figure.get_figwidth()),
        fontsize=10.5,
    )


def log_axis(axes: Axes, which: Literal["x", "y"], subs: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Make an axis logarithmic, with its numbers written out: these times powers of ten."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def only_whole_numbers(axes: Axes) -> None:
    """Tick the horizontal axis, a count of generations, at whole numbers only."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _lacking(text: str) -> bool:
    return any(ord(character) not in _characters() for character in text if not character.isspace())


@cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(str(_RC["font.family"]))).get_charmap())


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as SVG and return its path; the same figure gives the same bytes.

    Text is drawn as paths, alike everywhere. Where a name has characters that the figures' font lacks, such
    as Chinese ones, text stays text, and whoever opens the figure sees it in a font of theirs.
    """
    with look():
        if any(_lacking(text.get_text()) for text in figure.findobj(Text)):
            matplotlib.rcParams["svg.fonttype"] = "none"
        figure.savefig(path, format="svg", dpi=150, metadata={"Date": None, "Creator": "tailweave"})
    return path
