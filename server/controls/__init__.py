# SPDX-License-Identifier: Apache-2.0
"""Controls against silos that lie: bounds on what they claim, a cap on their weight, a flag on outliers."""

from tailweave.server.controls.inspection import Inspection, inspect

__all__ = ["Inspection", "inspect"]
