# SPDX-License-Identifier: Apache-2.0
"""A kit of two silos, its gate, and what stands behind it."""

from gate_kit import gate, kit, limits, upstream

__all__ = ["gate", "kit", "limits", "upstream"]
