# SPDX-License-Identifier: Apache-2.0
"""Specs of data sources; what they do lies in ``clients/data``."""
