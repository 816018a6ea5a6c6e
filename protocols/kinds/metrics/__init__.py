# SPDX-License-Identifier: Apache-2.0
"""Specs of metrics: what a number of a generation means, and within what it lies."""
