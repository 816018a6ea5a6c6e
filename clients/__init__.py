# SPDX-License-Identifier: Apache-2.0
"""What one silo does with its own data."""
