# SPDX-License-Identifier: Apache-2.0
"""Tables for narrow terminals: every word is whole, every column is there once."""

import pytest
from rich.console import Console

from tailweave.simulation.folded import Column, folded

ARMS = ("no-selection", "siloed", "anchored", "collaborative")
FIXED = [Column("arm", ARMS, right=False)]
COLUMNS = [Column(f"metric-{i}", [f"{i}.{k}23 ±0.045" for k in range(len(ARMS))]) for i in range(6)]


@pytest.mark.parametrize("width", [40, 60, 80, 132, 300])
def test_no_word_is_broken_and_no_column_lost(width):
    console = Console(width=max(width, 40), record=True, force_terminal=False)
    tables = list(folded("the run", FIXED, COLUMNS, width))
    for table in tables:
        console.print(table)
    lines = console.export_text().splitlines()
    words = " ".join(lines)
    assert words.count("the run") == 1
    for word in [*(c.head for c in COLUMNS), *(cell for c in COLUMNS for cell in c.cells)]:
        assert words.count(word) == 1
    assert all(words.count(arm) == len(tables) for arm in ARMS)
    assert max(map(len, lines)) <= width
    assert len(tables) == {40: 6, 60: 3, 80: 2, 132: 1, 300: 1}[width]


def test_where_nothing_fits_words_are_folded_and_not_cut():
    console = Console(width=18, record=True, force_terminal=False)
    for table in folded("", FIXED, COLUMNS[:1], 18):
        console.print(table)
    text = "".join(line.split("│")[1].strip() for line in console.export_text().splitlines() if "│" in line)
    assert text == "".join(ARMS)
