# SPDX-License-Identifier: Apache-2.0
"""A silo's table against the federation's: what differs is listed, and nothing private with it."""

import logging

import numpy as np
import pytest

from tailweave.clients.data.silo import Silo
from tailweave.clients.hello_round import hello
from tailweave.clients.samples import TEXT, Images, Numbers, Samples
from tailweave.clients.schema import check_schema
from tailweave.clients.sorts_table import Table
from tailweave.protocols.kinds.columns.numbers import Integer
from tailweave.protocols.messages import Hello
from tailweave.protocols.refusals import Refusal


def silo(columns: tuple[str, ...], labelled: bool = False) -> Silo:
    rows = Samples.of(np.zeros((3, len(columns))), ["x"] * 3 if labelled else None, Numbers(columns))
    return Silo("north", rows, rows)


def rows_of(columns: int, image=None, text: bool = False, labels=None) -> Samples:
    names = tuple(f"x{i}" for i in range(columns))
    sort = Numbers(names, hashed=text) if image is None else Images(names, shape=image)
    return Samples.of(np.zeros((3, columns)), labels, sort)


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


GREY, WORDS, TABLE = rows_of(64, (1, 8, 8)), rows_of(64, text=True), rows_of(64)
DOCUMENTS = Samples.of(["one", "two", "three"], None, TEXT)


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (GREY, {"image": (1, 8, 8)}),
        (TABLE, {"image": (1, 8, 8)}),  # pixels in a CSV cannot say that they are some
        (WORDS, {"text_columns": 64}),
        (DOCUMENTS, {"documents": True}),
        (TABLE, {}),
    ],
)
def test_data_of_the_federations_kind_pass(own, asked):
    check_schema(Silo("north", own, own), question(None, **asked))


@pytest.mark.parametrize(
    ("own", "asked", "said"),
    [
        (
            rows_of(256, (1, 16, 16)),
            {"image": (1, 8, 8)},
            "data do not fit: it has images 1x16x16, the federation has images 1x8x8; set image and resize "
            "in its node.yaml$",
        ),
        (rows_of(192, (3, 8, 8)), {"image": (3, 4, 16)}, "images 3x8x8, the federation has images 3x4x16"),
        (WORDS, {"image": (1, 8, 8)}, "it has text in 64 columns, the federation has images 1x8x8"),
        (
            rows_of(65),
            {"image": (1, 8, 8)},
            "table does not fit: it has a table of 65 columns, .* images 1x8x8",
        ),
        (
            WORDS,
            {"text_columns": 32},
            "text in 64 columns, the federation has text in 32 .* text-columns: 32 in",
        ),
        (TABLE, {"text_columns": 64}, "it has a table of 64 columns, the federation has text in 64 columns"),
        (GREY, {"text_columns": 64}, "it has images 1x8x8, the federation has text in 64 columns"),
        (GREY, {}, "it has images 1x8x8, the federation has a table; set data to a CSV"),
        (
            WORDS,
            {"columns": ("age",)},
            "it has text in 64 columns, the federation has a table; .*text-columns$",
        ),
        (
            DOCUMENTS,
            {},
            "data do not fit: it has documents, the federation has a table; .* columns, image, text or ",
        ),
        (DOCUMENTS, {"image": (1, 8, 8)}, "it has documents, the federation has images 1x8x8; set image"),
        (
            DOCUMENTS,
            {"text_columns": 64},
            "it has documents, the federation has text in 64 columns; set text",
        ),
        (
            WORDS,
            {"documents": True},
            "it has text in 64 columns, the federation has documents; set text: true in its node.yaml",
        ),
        (TABLE, {"documents": True}, "table does not fit: it has a table .*, the federation has documents"),
        (DOCUMENTS, {"documents": True, "label": "k"}, "label: it has none, .*name the sub-folders"),
        (GREY, {"image": (1, 8, 8), "label": "y"}, "label: it has none, .*name the sub-folders"),
    ],
)
def test_data_of_another_kind_or_shape_are_refused_with_the_difference(own, asked, said):
    with pytest.raises(Refusal, match=f"the silo's .*{said}"):
        check_schema(Silo("north", own, own), question(**{"columns": None} | asked))


def test_what_a_silo_has_is_said_in_a_word():
    assert [str(rows.sort) for rows in (GREY, WORDS, TABLE, DOCUMENTS)] == [
        "images 1x8x8",
        "text in 64 columns",
        "a table of 64 columns",
        "documents",
    ]


def declared(**columns) -> Samples:
    sort = Table.of({name: Integer(kind="integer", **options) for name, options in columns.items()})
    return Samples.of(np.zeros((3, len(columns))), None, sort)


DECLARED = declared(age={"min": 0}, stay={})


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (declared(age={"min": 0}, stay={}), None),
        (
            rows_of(2),
            "it has a table of 2 columns, the federation has a table of declared columns; set columns",
        ),
        (
            declared(age={"min": 1}, stay={}),
            "^[^:]*: its columns are declared otherwise than the federation's",
        ),
        (
            declared(stay={}, age={"min": 0}),
            "^[^:]*: its columns are declared otherwise than the federation's",
        ),
        (
            declared(age={"min": 0}, hiv={}),
            "columns: it lacks 'stay', it has 1 more .*; .* declared otherwise",
        ),
    ],
)
def test_declarations_agree_and_of_a_silos_own_nothing_is_told(own, said):
    asked = question(DECLARED.columns, declared=DECLARED.sort.digest)
    if said is None:
        check_schema(Silo("north", own, own), asked)
        return
    with pytest.raises(Refusal, match=said) as refused:
        check_schema(Silo("north", own, own), asked)
    assert "hiv" not in str(refused.value)


def test_a_declared_table_is_not_taken_for_plain_numbers():
    with pytest.raises(Refusal, match="it has a table of 2 declared columns, the federation has a table; "):
        check_schema(Silo("north", DECLARED, DECLARED), question(DECLARED.columns))
