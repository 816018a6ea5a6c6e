# SPDX-License-Identifier: Apache-2.0
"""Sorts of sample: what one sample is. A kind says which it takes, a source which it gives."""

from typing import Literal, get_args

SortName = Literal["numbers", "image", "text", "table"]
SORTS: tuple[SortName, ...] = get_args(SortName)
ROWS: tuple[SortName, ...] = ("numbers", "image", "table")
"""An image is a row of numbers too, with a shape; so is an encoded row of a table with declared columns."""
