# SPDX-License-Identifier: Apache-2.0
"""Attacks at the two doors that no epsilon guards: free questions to a silo, and the app's own code."""

from tailweave.simulation.audit.doors.knocked import knock

__all__ = ["knock"]
