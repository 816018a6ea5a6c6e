# SPDX-License-Identifier: Apache-2.0
"""Audit: attacks on what leaves the silos, beside what was promised."""
