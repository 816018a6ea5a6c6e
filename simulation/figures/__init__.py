# SPDX-License-Identifier: Apache-2.0
"""Figures, drawn from a run folder alone: ``draw_figures(folder)``."""

from tailweave.simulation.figures.draw import draw_figures

__all__ = ["draw_figures"]
