# SPDX-License-Identifier: Apache-2.0
"""What arXiv 2606.13732 did, run again: its loops and the pages of its experiments; see also ``studies``."""
