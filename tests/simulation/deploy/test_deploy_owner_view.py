# SPDX-License-Identifier: Apache-2.0
"""The owner's view of a run: every arm, what the server was told, and what failed."""

import os

import pytest
from rich.console import Console

from tailweave.clients.owner_report import OwnerReport
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.deploy.owner_view import owner_view


def reported(folder, run, arm, *, told=False, seen=("reference: local",)):
    head = {"arm": arm, "seed": 0, "silo": "north", "told": told, "seen": list(seen)}
    report = OwnerReport(folder / "state" / run / "report/seed-0" / f"{arm}.jsonl", head)
    for generation, coverage in enumerate((0.9, 0.5, 0.25)):
        report.write(
            generation, {"public": {"coverage": coverage}, "own": {"coverage": 0.95, "frechet": 0.0125}}
        )
    return report


def shown(folder, run=None, width=140):
    console = Console(width=width, record=True, force_terminal=False)
    for part in owner_view(folder, run, width):
        console.print(part, markup=False)
    return console.export_text()


@pytest.fixture
def north(kit):
    return kit / "silos/north"


def test_all_arms_are_shown_whether_the_server_was_told_or_not(north):
    reported(north, "first", "siloed")
    reported(north, "first", "collaborative", told=True, seen=())
    text = shown(north)
    assert "north: run first, first and last generation" in text
    lines = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert ["collaborative", "0", "public rows", "0.900 → 0.250", "-", "-", "-", "-", "yes"] in cells
    own = ["siloed", "0", "own rows", "0.950 → 0.950", "0.013 → 0.013", "-", "-", "-", "no"]
    assert own in cells
    assert "siloed: the server is not told where it has seen reference: local" in text
    assert "collaborative: the server is not told where it has seen its own held-out rows" in text
    assert str(north / "state/first/report") in text.replace("\n", "")


def test_what_failed_is_told_to_the_owner(north):
    reported(north, "first", "siloed").failed("ValueError: no spread")
    assert "arm siloed, seed 0: ValueError: no spread" in shown(north)


def test_the_latest_run_is_shown_unless_another_is_named(north):
    for age, run in enumerate(("old", "new")):
        reported(north, run, "siloed")
        os.utime(north / "state" / run / "report", (age, age))
    assert "run new," in shown(north)
    assert "run old," in shown(north, "old")
    with pytest.raises(ConfigError, match="run other: not reported here; there are: new, old"):
        shown(north, "other")


def test_a_node_without_runs_says_so(north):
    with pytest.raises(ConfigError, match="no run reported here; there are: none"):
        shown(north)


def test_words_are_not_broken_in_a_narrow_terminal(north):
    reported(north, "first", "collaborative-sliced")
    lines = [line for line in shown(north, width=80).splitlines() if line.startswith("│")]
    assert all("collaborative-sliced" in line for line in lines)
    assert max(map(len, lines)) <= 80
