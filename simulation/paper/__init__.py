# SPDX-License-Identifier: Apache-2.0
"""The studies of arXiv 2606.13732, run again: Gaussian theory, non-Gaussian families, transport protocols."""
