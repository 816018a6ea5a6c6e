# SPDX-License-Identifier: Apache-2.0
"""A silo's table against the federation's: what differs is listed, and nothing private with it."""

import logging

import numpy as np
import pytest

from clients.data.rows import Rows
from clients.data.silo import Silo
from clients.rounds import hello
from clients.schema import check_schema
from protocols.messages import Hello
from protocols.refusals import Refusal


def silo(columns: tuple[str, ...], labelled: bool = False) -> Silo:
    rows = Rows(np.zeros((3, len(columns))), np.array(["x"] * 3) if labelled else None, columns)
    return Silo("north", rows, rows)


def question(columns: tuple[str, ...] | None = ("a", "b", "c"), **more) -> Hello:
    return Hello(run="r", seed=0, columns=columns, **more)


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (("a", "b", "c"), question()),
        (("x0", "x1"), question(None)),  # the federation's columns have no names: they are counted only
        (("a",), question(("a",), label=None)),
    ],
)
def test_a_table_that_fits_passes(own, asked):
    check_schema(silo(own), asked)


def test_a_label_may_have_another_name_here():
    check_schema(silo(("a",), labelled=True), question(("a",), label="diagnosis"))


@pytest.mark.parametrize(
    ("own", "asked", "said"),
    [
        (
            ("a", "c"),
            question(),
            "columns: it lacks 'b'; give the file the federation's columns, in its order$",
        ),
        (("a", "b", "c", "d", "e"), question(), r"it has 2 more \(named in this node's own log\); give"),
        (("a", "b", "d"), question(), "it lacks 'c', it has 1 more"),
        (("a", "c", "b"), question(), "column 2 is 'c' instead of 'b'"),
        (("z",), question(tuple("abcdefghijklm")), "it lacks 'a', .*'j' and 3 others, it has 1 more"),
        (("a",), question(("a",), label="kind"), "label: it has none, the federation's is 'kind'; set label"),
        (("a",), question(None, standardized=True), "set data.standardize: false and agree on units"),
        (("b",), question(("a",), label="k"), "it lacks 'a'.*; label: it has none"),
    ],
)
def test_what_differs_is_listed(own, asked, said):
    with pytest.raises(Refusal, match=f"the silo's table does not fit: .*{said}"):
        check_schema(silo(own), asked)


def test_names_that_only_the_silo_has_stay_in_its_own_log(caplog):
    with caplog.at_level(logging.ERROR, "tailweave.clients"), pytest.raises(Refusal) as refused:
        check_schema(silo(("a", "b", "c", "HIV-positive")), question())
    assert "HIV" not in str(refused.value)
    assert "HIV-positive" in caplog.text


def test_a_real_node_is_asked_and_a_simulated_one_is_not(node, world):
    from dataclasses import replace

    with pytest.raises(Refusal, match="it lacks 'age', it has 3 more"):
        hello(node, question(("age",)))
    assert hello(replace(node, truth=world), question(("age",))).columns == 3
