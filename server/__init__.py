# SPDX-License-Identifier: Apache-2.0
"""What the aggregator does with summaries: check, weigh, aggregate, decide rounds."""
