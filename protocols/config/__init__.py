# SPDX-License-Identifier: Apache-2.0
"""The experiment as a frozen, validated tree; YAML in, YAML out."""
