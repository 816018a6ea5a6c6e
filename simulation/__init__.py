# SPDX-License-Identifier: Apache-2.0
"""Siloed against collaborative on one machine: engines, figures, report, command line."""
