# SPDX-License-Identifier: Apache-2.0
"""``tailweave score``: synthetic rows beside real ones, whoever made them."""
