# SPDX-License-Identifier: Apache-2.0
"""The deployment kit: the files that a federation of real hosts needs, and the checks before it runs."""
