# SPDX-License-Identifier: Apache-2.0
"""Metrics of one generation against the truth, computed where the data is: only they may leave a silo."""

from tailweave.clients.metrics.yardstick import Training, Yardstick, evaluate, yardstick, yardstick_of

__all__ = ["Training", "Yardstick", "evaluate", "yardstick", "yardstick_of"]
