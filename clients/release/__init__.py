# SPDX-License-Identifier: Apache-2.0
"""The release desk of a silo: its own policy, a ledger of what was spent, and one cached release a question.

``desk.answer`` is the one door; ``ledger`` remembers, ``policy`` bounds, ``store`` repeats.
"""
