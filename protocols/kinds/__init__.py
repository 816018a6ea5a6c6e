# SPDX-License-Identifier: Apache-2.0
"""The spec of every kind: its options, its one line, what it needs and what it leaks; found by its name."""
