# SPDX-License-Identifier: Apache-2.0
"""The report names the levels and pairs that an arm lost, and where; the terminal shows columns of tables."""

from tailweave.simulation.outcome import Outcome
from tailweave.simulation.report.lost import kept_by_silo, lost


def one(mean):
    return {"mean": mean, "interval": None, "seeds": 1}


def arm(role, levels, silos, pairs):
    kept = {f"level_kept/{name}": value for name, value in levels.items()}
    kept |= {f"pair_kept/{name}": value for name, value in pairs.items()}
    last = {name: one(value) for name, value in kept.items()}
    last |= {
        "rarest_level_ratio": one(min(levels.values())),
        "column_distance": one(0.1),
        "frechet": one(1.0),
    }
    by_silo = {
        silo: {f"level_kept/{name}": value for name, value in found.items()} for silo, found in silos.items()
    }
    return {"role": role, "last": last, "silos": by_silo}


SUMMARY = {
    "name": "wards",
    "generations": 5,
    "silos": ["north", "south"],
    "events": {"absences": [], "quarantined": {}},
    "arms": {
        "siloed": arm(
            "siloed",
            {"dx=rare": 0.04, "dx=<b>": 0.5},
            {"north": {"dx=rare": 0.0, "dx=<b>": 1.0}, "south": {"dx=rare": 0.08, "dx=<b>": 0.0}},
            {"dx=rare&sex=f": 0.02},
        ),
        "collaborative": arm(
            "collaborative",
            {"dx=rare": 0.9, "dx=<b>": 1.1},
            {"north": {"dx=rare": 0.8, "dx=<b>": 1.1}, "south": {"dx=rare": 1.0, "dx=<b>": 1.1}},
            {"dx=rare&sex=f": 0.7},
        ),
    },
}


def test_what_an_arm_lost_is_named_with_where():
    siloed, collaborative = lost(SUMMARY).lines
    assert [cell.text for cell in siloed.cells] == ["dx=rare", "dx=<b>", "dx=rare: 4.0 %", "dx=rare & sex=f"]
    assert [cell.text for cell in collaborative.cells] == ["none", "none", "dx=rare: 90 %", "none"]
    assert lost(SUMMARY).caption == "2 rare levels and 1 rare pair of levels at the last generation."


def test_every_silo_has_its_line_and_runs_without_levels_have_none():
    table = kept_by_silo(SUMMARY)
    assert [head for head, _ in table.heads] == ["dx=<b>", "dx=rare"]
    assert [line.head for line in table.lines][:2] == ["north, siloed", "north, collaborative"]
    assert [cell.text for cell in table.lines[0].cells] == ["100 %", "0.0 %"]
    bare = {**SUMMARY, "arms": {"a": {"role": "siloed", "last": {"frechet": one(1.0)}, "silos": {}}}}
    assert lost(bare) is kept_by_silo(bare) is None


def test_many_lost_levels_are_counted():
    levels = {f"c={place:02}": 0.0 for place in range(15)}
    many = {**SUMMARY, "arms": {"a": arm("siloed", levels, {}, {})}}
    assert lost(many).lines[0].cells[0].text.endswith("c=11 and 3 more")


def test_the_terminal_shows_what_tables_are_judged_by():
    heads = [column.head for column in Outcome.of(SUMMARY).columns]
    assert heads == ["rarest level kept", "distance of columns"]
