# SPDX-License-Identifier: Apache-2.0
"""What all networks share: packages on use, where they run, weights and unfinished states in files."""
