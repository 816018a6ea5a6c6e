# SPDX-License-Identifier: Apache-2.0
"""Specs of public feature maps; how they are fitted lies in ``clients/features``."""
