# SPDX-License-Identifier: Apache-2.0
"""The table at the end of a run."""

import io
import json

import pytest
from rich.console import Console

from tailweave.simulation.outcome import print_outcome

SUMMARY = {
    "name": "digits",
    "generations": 30,
    "events": {
        "absences": [
            {"silo": "silo-1", "round": "retrain", "reason": "no answer within 9 s", "end": None},
            {"silo": "silo-1", "round": "retrain", "reason": "the node cannot be reached", "end": None},
            {"silo": "silo-2", "round": "hello", "reason": "late", "end": {"round": "retrain"}},
        ],
        "quarantined": {"silo-3": [{"seed": 0, "round": "summarise", "reason": "far"}]},
    },
    "arms": {
        "no-selection": {
            "last": {
                "frechet": {"mean": 0.57612, "interval": [0.5, 0.7]},
                "coverage": {"mean": 0.44, "interval": None},
            }
        },
        "collaborative-with-a-long-name": {
            "last": {"frechet": {"mean": 0.0771, "interval": [0.0671, 0.0871]}}
        },
    },
}


@pytest.fixture
def printed(tmp_path):
    def show(width: int, summary: dict = SUMMARY) -> str:
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        file = io.StringIO()
        print_outcome(tmp_path, Console(file=file, width=width))
        return file.getvalue()

    return show


def test_means_and_half_widths_are_shown(printed):
    text = printed(120)
    assert "digits: generation 30" in text
    assert "0.576 ±0.1" in text
    assert "0.0771 ±0.01" in text


def test_one_seed_shows_no_interval_and_a_missing_metric_a_dash(printed):
    lines = printed(120).splitlines()
    assert any("no-selection" in line and "0.44 │" in line for line in lines)
    assert any("collaborative" in line and "- │" in line for line in lines)


def test_metrics_that_no_arm_has_are_left_out(printed):
    assert "modes" not in printed(120).lower()


@pytest.mark.parametrize("width", [20, 50, 80])
def test_a_narrow_terminal_gets_a_narrow_table_with_whole_names(printed, width):
    text = printed(width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    flat = text.translate({ord(mark): None for mark in "│┃ \n┏┓┗┛━┳┻┡┩╇─┴└┘"})
    assert "ß" not in flat
    first = "".join(
        line.strip("│┃ ").split("│")[0].strip() for line in text.splitlines() if line.startswith("│")
    )
    assert "collaborative-with-a-long-name" in first


def test_a_run_without_known_metrics_still_lists_its_arms(printed):
    arms = {"alone": {"last": {}}}
    text = printed(80, SUMMARY | {"name": "x", "generations": 1, "arms": arms})
    assert "alone" in text


def test_a_silo_in_quarantine_is_named_with_the_remedy(printed):
    assert "silo-3 was in quarantine" in printed(100)
    assert "federation.trusted" in printed(100)
    assert "quarantine" not in printed(100, SUMMARY | {"events": {"absences": [], "quarantined": {}}})


def test_a_silo_that_was_missing_is_named_with_the_round_and_the_last_reason(printed):
    assert "silo-1: refused or missing (retrain); the node cannot be reached\n" in printed(120)
    assert "silo-2" not in printed(120)
