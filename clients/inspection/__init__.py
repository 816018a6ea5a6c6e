# SPDX-License-Identifier: Apache-2.0
"""What the columns of a file seem to be: a proposal for ``data``, for the owner of the rows to read."""
