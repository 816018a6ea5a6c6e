# SPDX-License-Identifier: Apache-2.0
"""Mechanisms: one file a kind of summary, each with its sensitivity derived in its docstring.

Unit of privacy: one row, added or removed. Every constant (clip radius, range, directions, grid) is public.
"""
