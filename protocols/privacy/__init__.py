# SPDX-License-Identifier: Apache-2.0
"""Privacy of what a silo releases: calibration, noise, mechanisms, the gate, shrinkage and the audit."""
