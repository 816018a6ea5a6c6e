# SPDX-License-Identifier: Apache-2.0
"""Specs of references; what they do lies in ``protocols/references``, in the file of the same name."""
