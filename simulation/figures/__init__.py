# SPDX-License-Identifier: Apache-2.0
"""Figures, drawn from a run folder alone: ``draw.draw_figures``."""
