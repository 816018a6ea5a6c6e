# SPDX-License-Identifier: Apache-2.0
"""Measures of documents: of their words, and of what a language model makes of given texts."""
