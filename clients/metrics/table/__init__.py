# SPDX-License-Identifier: Apache-2.0
"""Metrics of tables with declared columns: what they are made of."""
