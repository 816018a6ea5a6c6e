# SPDX-License-Identifier: Apache-2.0
"""The Python API on selection: arrays and frames in, indices out."""

import numpy as np
import pyarrow
import pytest

import tailweave
from tailweave.clients.selection import select as below
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.references import Empirical
from tailweave.rows import as_rows

DRAWN = np.random.default_rng(5)
ROWS, CANDIDATES = DRAWN.normal(size=(60, 3)), DRAWN.normal(size=(200, 3)) * 2


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


class FrameOnly:
    """A data frame of a library that has only the interchange protocol."""

    def __init__(self, table: pyarrow.Table) -> None:
        self._table = table

    def __dataframe__(self, **options):
        return self._table.__dataframe__(**options)


class ArrayOnly:
    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array.astype(dtype)


def table(array: np.ndarray) -> pyarrow.Table:
    """In two chunks, the second of which begins inside its buffer."""
    whole = pyarrow.table({f"column {i}": column for i, column in enumerate(array.T)})
    return pyarrow.concat_tables([whole.slice(0, 50), whole.slice(50)])


def test_picks_are_those_of_the_rule_itself():
    wanted = below(
        RULES.kinds["herding"](kind="herding"), Candidates.of(CANDIDATES, 40), Empirical.of(ROWS), rng=rng()
    )
    picks = tailweave.select(CANDIDATES, reference=tailweave.Reference.of(ROWS), count=40, rng=rng())
    assert picks.tolist() == wanted.tolist()
    assert abs(CANDIDATES[picks].std() - ROWS.std()) < 0.3 * ROWS.std()


@pytest.mark.parametrize("form", [np.ndarray.tolist, ArrayOnly, table, lambda a: FrameOnly(table(a))])
def test_any_form_of_rows_gives_the_same_picks(form):
    reference, alike = tailweave.Reference.of(form(ROWS)), tailweave.Reference.of(ROWS)
    wanted = tailweave.select(CANDIDATES, reference=alike, count=9, rng=rng())
    assert (
        tailweave.select(form(CANDIDATES), reference=reference, count=9, rng=rng()).tolist()
        == wanted.tolist()
    )


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "uint64", "float32", "float64"])
def test_columns_of_a_frame_are_read_as_the_numbers_they_are(dtype):
    columns = np.arange(120).reshape(60, 2).astype(dtype)
    found = as_rows(FrameOnly(table(columns)), "rows")
    assert found.dtype == np.float64
    assert found.tolist() == columns.tolist()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (FrameOnly(pyarrow.table({"a": ["x", "y"]})), "rows: column 'a' must be integers or floating-point"),
        (FrameOnly(pyarrow.table({"a": [1, None]})), "rows: column 'a' must have no missing values, got 1"),
        (FrameOnly(pyarrow.table({"a": [1.0, float("nan")]})), "rows must be finite, got nan in column 0"),
        (FrameOnly(pyarrow.table({})), "rows must be a non-empty matrix"),
        (FrameOnly(pyarrow.table({"a": pyarrow.array([], "float64")})), "rows must be a non-empty matrix"),
        ([["x", "y"]], "rows must be numbers, as an array .* got list"),
        (object(), "rows must be numbers, as an array .* got object"),
        ([1.0, 2.0], r"rows must be a non-empty matrix \(n, d\), got shape \(2,\)"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(values, said):
    with pytest.raises(ValueError, match=said):
        tailweave.Reference.of(values)


def test_a_rule_may_have_options_and_no_reference():
    picks = tailweave.select(CANDIDATES, count=np.int64(5), rule="random", rng=rng())
    assert len(set(picks.tolist())) == 5
    reference, rule = tailweave.Reference.of(ROWS, np.ones(60)), {"kind": "ds3", "clusters": 10}
    assert len(tailweave.select(CANDIDATES, reference=reference, count=5, rule=rule, rng=rng())) == 5
    assert repr(reference) == "Reference(60 rows, 3 columns)"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rule": "herdin"}, "rule: 'herdin' is unknown; did you mean 'herding'"),
        ({"rule": {"kind": "ds3", "cluster": 3}}, "unknown key; did you mean 'clusters'"),
        ({"rule": 3}, "rule: "),
        ({"rule": "rouge"}, "rule rouge takes samples of sort text, got numbers"),
        ({"rule": "random"}, "rule random compares with nothing: remove reference"),
        ({"reference": None}, "rule herding needs a reference"),
        ({"reference": ROWS}, r"reference must be a Reference, as Reference.of\(rows\) .* got ndarray"),
        ({"reference": tailweave.Reference.of(ROWS[:, :2])}, "candidates must have 2 columns, got 3"),
        ({"count": 0}, "count must be an integer from 1 to 200, the number of candidates, got 0"),
        ({"count": 201}, "count must be .* got 201"),
        ({"count": 2.0}, "count must be .* got 2.0"),
        ({"count": True}, "count must be .* got True"),
        ({"rng": 0}, "rng must be a numpy.random.Generator, .* got int"),
        ({"candidates": CANDIDATES * np.inf}, "candidates must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(changed, said):
    given = {"candidates": CANDIDATES, "reference": tailweave.Reference.of(ROWS), "count": 5, "rng": rng()}
    with pytest.raises(ValueError, match=said):
        tailweave.select(**given | changed)


def test_a_count_per_class_and_scores():
    labels = np.where(CANDIDATES[:, 0] > 0, "right", "left")
    picks = tailweave.select(
        CANDIDATES,
        reference=tailweave.Reference.of(ROWS),
        count={"left": 3, "right": 8},
        known={"labels": labels},
        rng=rng(),
    )
    assert (labels[picks] == "left").sum() == 3
    assert len(picks) == 11
    surprise = (CANDIDATES**2).sum(axis=1)
    picks = tailweave.select(CANDIDATES, count=5, rule="surplexity", known={"surprise": surprise}, rng=rng())
    assert picks.tolist() == sorted(np.argsort(-surprise)[:5].tolist())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": {"left": 3}}, "a count per class needs labels"),
        (
            {"count": {"left": 0.5}, "known": {"labels": ["left"] * 200}},
            "count must be an integer from 0 to 200",
        ),
        ({"count": {}, "known": {"labels": ["left"] * 200}}, "count must want at least one candidate"),
        ({"count": {"left": 0}, "known": {"labels": ["left"] * 200}}, "count must want at least one"),
        ({"count": 3, "known": {"label": ["left"] * 200}}, "known has 'label', rule random can use: labels"),
        ({"count": 3, "known": {"labels": ["left"]}}, r"labels must have shape \(200,\)"),
        (
            {"count": 3, "rule": "surplexity"},
            "needs a score surprise of each candidate, argument known gives",
        ),
        ({"count": 3, "rule": "surplexity", "known": {"surprise": [1.0]}}, "must be 200 finite numbers"),
    ],
)
def test_what_a_class_or_score_lacks_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        tailweave.select(CANDIDATES, rng=rng(), **{"rule": "random"} | options)
