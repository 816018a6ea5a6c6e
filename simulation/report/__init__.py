# SPDX-License-Identifier: Apache-2.0
"""Reports, made from run folders alone: ``page.write_report``, ``comparison.write_comparison``."""
