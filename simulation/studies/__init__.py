# SPDX-License-Identifier: Apache-2.0
"""Studies: loops of their own beside experiments, each held against what was published; found by name."""
