# SPDX-License-Identifier: Apache-2.0
"""Curation: which of K candidates preferences keep, and what recursion makes of a distribution."""
