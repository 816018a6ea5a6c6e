# SPDX-License-Identifier: Apache-2.0
"""Who was missing when: refusals and absences paired with returns, and what the report makes of them."""

import pytest

from tailweave.simulation.absences import UNNAMED, absences
from tailweave.simulation.measurements import measurements
from tailweave.simulation.report.absences import absences as shown

ROWS = [
    {"arm": arm, "seed": 0, "silo": silo, "generation": g, "coverage": 0.5}
    for arm in ("alone", "woven")
    for silo in ("silo-0", "silo-10")
    for g in (0, 1)
]
TABLE = measurements(ROWS, ["alone", "woven"])


def event(kind, silo, where="retrain", arm=None, seed=0, reason="late") -> dict:
    return {"event": kind, "seed": seed, "round": where, "arm": arm, "silo": silo, "reason": reason}


def ends(*events) -> list[tuple]:
    return [(case["silo"], case["arm"], case["end"]) for case in absences(events, TABLE)]


def test_a_return_ends_the_absence_of_its_silo_and_arm_only():
    found = ends(
        event("refused", "silo-2", arm="alone"),
        event("refused", "silo-2", arm="woven"),
        event("refused", "silo-1", arm="alone"),
        event("returned", "silo-2", arm="alone", seed=1),
    )
    back = {"seed": 1, "round": "retrain", "arm": "alone"}
    assert found == [("silo-1", "alone", None), ("silo-2", "alone", back), ("silo-2", "woven", None)]


def test_the_same_again_is_one_absence_until_it_ends():
    missed, back = event("refused", "silo-2", "summarise"), event("returned", "silo-2")
    found = absences([missed, missed, back, missed], TABLE)
    assert [(case["times"], case["end"] is None) for case in found] == [(2, False), (1, True)]


def test_silos_without_a_name_are_counted_and_leave_one_by_one():
    never = event("absent", None, "hello")
    found = absences([never, never, never, event("returned", None, "hello", seed=1)], TABLE)
    assert sorted((case["silo"], case["silos"], case["end"] is None) for case in found) == [
        (UNNAMED, 1, False),
        (UNNAMED, 2, True),
    ]


def test_one_whose_generations_are_there_after_all_was_resumed():
    assert ends(event("refused", "silo-10", arm="alone")) == [("silo-10", "alone", {"complete": True})]
    assert ends(event("refused", "silo-10", arm="alone", seed=4)) == [("silo-10", "alone", None)]


@pytest.mark.parametrize("kind", ["quarantined", "odd", "summed"])
def test_other_events_are_no_absence(kind):
    assert absences([event(kind, "silo-0")], TABLE) == []


def test_silos_are_in_natural_order_and_old_events_without_a_kind_count():
    old = event("refused", "silo-10")
    del old["event"]
    assert [case["silo"] for case in absences([old, event("refused", "silo-2")], TABLE)] == [
        "silo-2",
        "silo-10",
    ]


def test_the_report_has_a_line_for_each_and_arms_together():
    events = [
        event("absent", None, "hello", reason="not connected"),
        event("absent", None, "hello", reason="not connected"),
        event("refused", "silo-2", arm="alone"),
        event("refused", "silo-2", arm="woven"),
        event("refused", "silo-3", "summarise"),
        event("refused", "silo-3", "summarise"),
        event("returned", "silo-3"),
    ]
    table = shown({"events": {"absences": absences(events, TABLE)}})
    assert [(line.head, *(cell.text for cell in line.cells)) for line in table.lines] == [
        ("2 silos, not named", "seed 0, hello", "not connected", "no"),
        ("silo-2", "seed 0, retrain", "late", "no"),
        ("silo-3", "seed 0, summarise", "late (2 times)", "seed 0, retrain"),
    ]
    assert table.lines[1].cells[0].spread == "alone, woven"
    assert [line.cells[-1].mark for line in table.lines] == ["danger", "danger", ""]


def test_nobody_missing_needs_no_table():
    assert shown({"events": {"absences": []}}) is None
