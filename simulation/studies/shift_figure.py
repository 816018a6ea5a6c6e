# SPDX-License-Identifier: Apache-2.0
"""The figure of label shift: do predictions collapse, and are they right?"""

from collections.abc import Sequence

from matplotlib.figure import Figure

from tailweave.simulation.figures.style import MUTED, arm_legend, colour_of, look, only_whole_numbers
from tailweave.simulation.measurements import estimate
from tailweave.simulation.paper.figures import draw_band
from tailweave.simulation.run_folder import Row

_TARGETS = {"ordered": "classes one after the other", "long-tailed": "long tail, shuffled"}
_METRICS = {"entropy": "entropy of predicted shares, nats", "accuracy": "accuracy"}
_METHODS = {"tent": "plain entropy (Tent)", "dsbr": "evened out (DSBR)"}


def draw_shift(rows: Sequence[Row]) -> Figure:
    """Draw entropy of predicted shares and accuracy against passes: a row a target, a line a loss."""
    names = list(_METHODS.values())
    colours = colour_of(names)
    with look():
        figure = Figure(figsize=(10.5, 6.6), layout="constrained")
        for across, target in zip(figure.subplots(2, 2), _TARGETS, strict=True):
            here = [row for row in rows if row["target"] == target]
            for axes, metric in zip(across, _METRICS, strict=True):
                for method, name in _METHODS.items():
                    of = [row for row in here if row["method"] == method]
                    draw_band(axes, of, metric, colours[name], log=False)
                axes.set_title(f"{_TARGETS[target]}: {_METRICS[metric]}")
                axes.set_xlabel("passes over the target")
                only_whole_numbers(axes)
            true = estimate(row["true_entropy"] for row in here).mean
            across[0].axhline(true, color=MUTED, linestyle=(0, (1.5, 1.5)), linewidth=1.2)
        arm_legend(figure, names)
    return figure
