# SPDX-License-Identifier: Apache-2.0
"""What crosses the wire, and the maths that both ends must agree on."""
