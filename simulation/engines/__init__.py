# SPDX-License-Identifier: Apache-2.0
"""Ways to run the two apps; the same apps, another Grid."""

ENGINES = {"in-process": "both apps here, silos spread over --workers processes"}
"""Names that ``--engine`` takes, with one line each."""
