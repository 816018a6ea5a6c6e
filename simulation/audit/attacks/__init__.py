# SPDX-License-Identifier: Apache-2.0
"""Attacks on what leaves a silo: pure functions from messages to guesses of raw rows, one idea a file."""
