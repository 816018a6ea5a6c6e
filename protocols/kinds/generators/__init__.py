# SPDX-License-Identifier: Apache-2.0
"""Specs of generators; what they do lies in ``clients/generators``, in the file or folder of the name."""
