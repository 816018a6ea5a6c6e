# SPDX-License-Identifier: Apache-2.0
"""Specs of partitions into silos; what they do lies in ``clients/data``."""
