# SPDX-License-Identifier: Apache-2.0
"""What the server remembers of absences."""

from tailweave.server.roll import Roll


def test_an_answer_ends_the_absence_from_its_arm_and_from_the_rounds_before():
    roll = Roll()
    for arm in (None, "a", "b"):
        roll.missed((1, arm), "north")
    roll.missed((2, "a"), "south")
    assert roll.answered((1, "a")) == {(1, None): "north", (1, "a"): "north"}
    assert roll.answered((1, "a")) == {}
    assert roll.worth_waiting((1, "a"))
    assert not roll.worth_waiting((1, "b"))


def test_an_answer_before_retrain_ends_every_absence_of_its_node():
    roll = Roll()
    roll.missed((1, "a"), "north")
    roll.missed((1, "b"), "north")
    roll.missed((2, None), "south")
    assert roll.answered((1, None)) == {(1, "a"): "north", (1, "b"): "north"}
    assert roll.worth_waiting((1, "b"))
    assert not roll.worth_waiting((2, None))


def test_it_keeps_the_name_under_which_a_silo_was_missed():
    roll = Roll()
    roll.missed((1, None), "node-1")
    roll.missed((1, None), "north")
    assert roll.answered((1, None)) == {(1, None): "node-1"}


def test_who_arrives_is_struck_off_by_name_or_else_one_without():
    roll = Roll(absent=["north", None])
    assert roll.arrived("north") == "north"
    assert roll.arrived("south") == ""
    assert roll.arrived("east") is None
    assert roll.absent == []
