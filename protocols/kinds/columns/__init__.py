# SPDX-License-Identifier: Apache-2.0
"""Specs of what a column of a table means; how each is read and written lies in ``clients/columns``."""
