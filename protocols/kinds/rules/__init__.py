# SPDX-License-Identifier: Apache-2.0
"""Specs of selection rules; what they do lies in ``clients/selection``, in the file of the same name."""
