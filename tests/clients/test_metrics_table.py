# SPDX-License-Identifier: Apache-2.0
"""Metrics of tables: known answers by hand, slow loops, degenerate rows, and what no row has."""

import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from tailweave.clients.metrics import yardstick_of
from tailweave.clients.metrics.of_table import TableTruth, novel_share, of_table, schema_violations
from tailweave.clients.metrics.table.agreement import cramers_v
from tailweave.clients.samples import Samples
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.columns.levels import Boolean, Category
from tailweave.protocols.kinds.columns.numbers import Integer, Number
from tailweave.protocols.metrics import METRICS, check_metric, family
from tailweave.protocols.streams import stream

KINDS = ("usual", "other", "rare", "few")
SORT = Table.of(
    {
        "kind": Category(kind="category", values=KINDS),
        "site": Category(kind="category", values=("a", "b"), optional=True),
        "stage": Category(kind="category", levels=3, ordered=True),
        "dose": Number(kind="number", optional=True),
        "count": Integer(kind="integer", min=0, max=9),
    }
)
N = 1000


def rows(kinds: dict[str, int], rng: np.random.Generator, pair: bool = True) -> Samples:
    """Rows with so many of each kind; those of kind ``rare`` are of site b if they are a pair, else of a."""
    kind = np.repeat([KINDS.index(name) for name in kinds], list(kinds.values()))
    n = len(kind)
    site = np.where(kind == 2, 1 if pair else 0, rng.choice(3, n, p=[0.5, 0.4, 0.1]))
    values = np.zeros((n, len(SORT.columns)))
    values[np.arange(n), kind] = values[np.arange(n), 4 + site] = UNIT
    stage, lacks = np.clip(kind, 0, 2), rng.random(n) < 0.2
    values[:, 7] = stage - 1.0  # unit of steps 0 to 2: about 1, by 2 / sqrt(12)
    values[:, 7] /= 2 / math.sqrt(12)
    values[:, 8], values[:, 9] = np.where(lacks, 0.0, rng.normal(kind, 1.0)), lacks
    values[:, 10] = (rng.integers(0, 10, n) - 4.5) / (9 / math.sqrt(12))
    return Samples.of(values, sort=SORT)


TRUE = {"usual": 600, "other": 376, "rare": 20, "few": 4}


@pytest.fixture(scope="module")
def truth():
    return TableTruth.of(rows(TRUE, stream(0, "truth")))


def test_rare_levels_and_pairs_are_those_of_the_truth_and_each_is_told(truth):
    """2 % are rare, and stage 2 with them; 4 rows are too few to say anything of."""
    assert truth.levels.names == ("kind=rare", "stage=2")
    assert truth.few == 1
    same = of_table(rows(TRUE, stream(0, "truth")), truth, None)
    assert same["level_share/kind=rare"] == 0.02
    assert same["level_kept/kind=rare"] == same["rarest_level_ratio"] == same["rarest_pair_ratio"] == 1.0
    assert same["levels_lost"] == same["pairs_lost"] == 0.0
    assert same["levels_unmeasured"] == 1.0
    assert same["column_distance"] == same["worst_column_distance"] == same["association_error"] == 0.0
    assert {"pair_share/kind=rare&site=b", "pair_kept/kind=rare&site=b"} <= set(same)


def test_pairs_agree_with_a_slow_count(truth):
    table = SORT.decoded(rows(TRUE, stream(0, "truth"))).to_pydict()
    columns = {"kind": table["kind"], "site": table["site"], "stage": table["stage"]}
    names = list(columns)
    slow = Counter()
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for a, b in zip(columns[one], columns[other], strict=True):
                if a is not None and b is not None:
                    slow[f"{one}={a}&{other}={b}"] += 1
    wanted = {name: count / N for name, count in slow.items() if 10 <= count < 0.05 * N}
    assert dict(zip(truth.pairs.names, truth.pairs.shares.tolist(), strict=True)) == wanted


def test_a_level_that_is_gone_and_a_pair_that_is_gone_are_lost(truth):
    gone = of_table(rows({"usual": 600, "other": 400}, stream(1, "gone")), truth, None)
    assert gone["rarest_level_ratio"] == gone["level_share/kind=rare"] == 0.0
    assert gone["levels_lost"] >= 1.0
    apart = of_table(rows(TRUE, stream(1, "apart"), pair=False), truth, None)
    assert apart["level_kept/kind=rare"] == 1.0
    assert apart["pair_kept/kind=rare&site=b"] == 0.0
    assert apart["pairs_lost"] >= 1.0


def test_rare_is_judged_by_all_rows_so_that_seeds_agree():
    """Half of the rows have no rare one among them: it is rare all the same, and lost by none."""
    part = rows({"usual": 300, "other": 200}, stream(2, "part"))
    found = TableTruth.of(part, rows({"usual": 300, "other": 180, "rare": 20}, stream(3, "part")))
    assert "kind=rare" in found.levels.names
    assert found.levels.shares[found.levels.names.index("kind=rare")] == 0.02


def test_distances_of_columns_agree_with_a_slow_loop(truth):
    moved = rows({"usual": 300, "other": 700}, stream(4, "moved"))
    found = of_table(moved, truth, None)
    of_kind = 0.5 * (abs(0.3 - 0.6) + abs(0.7 - 0.376) + 0.02 + 0.004)
    assert found["worst_column_distance"] == pytest.approx(of_kind)
    assert 0.05 < found["column_distance"] < of_kind
    numbers = dict(zip((cut.name for cut in truth.rows.cuts), truth.rows.cells, strict=True))
    tenths = np.bincount(numbers["dose"])[:10]
    assert np.ptp(tenths) <= 2  # equal parts of the truth


def test_association_is_that_of_scipy_and_its_bias_is_gone():
    rng = stream(5, "v")
    one, other = rng.integers(0, 4, 4000), rng.integers(0, 6, 4000)
    other[:2000] = one[:2000]
    table = np.zeros((4, 6), dtype=int)
    np.add.at(table, (one, other), 1)
    # SciPy's is not corrected; at 4,000 rows they differ by the bias, (k - 1)(r - 1) / n of phi^2
    assert cramers_v(one, other, (4, 6)) == pytest.approx(association(table), abs=0.005)
    nothing = [cramers_v(rng.integers(0, 8, 100), rng.integers(0, 8, 100), (8, 8)) for _ in range(100)]
    assert np.mean(nothing) < 0.1  # uncorrected: about .26
    assert cramers_v(one, one, (4, 4)) == 1.0
    assert cramers_v(one, np.zeros(4000, dtype=int), (4, 6)) == 0.0


def test_a_turned_correlation_of_numbers_is_seen():
    sort = Table.of({"x": Number(kind="number"), "y": Number(kind="number", optional=True)})
    x = stream(6, "x").normal(size=400)
    up, down = (
        Samples.of(np.column_stack([x, sign * x + 0.1 * x[::-1], np.zeros(400)]), sort=sort)
        for sign in (1, -1)
    )
    truth = TableTruth.of(up)
    spearman = [spearmanr(part.values[:, 0], part.values[:, 1]).statistic for part in (up, down)]
    found = of_table(down, truth, None)["association_error"]
    assert found == pytest.approx(spearman[0] - spearman[1])
    assert "rarest_level_ratio" not in of_table(down, truth, None)  # there are no levels


def test_rows_never_seen_are_those_that_equal_none_in_every_column():
    own = rows({"usual": 50}, stream(7, "own"))
    fresh = rows({"usual": 50}, stream(8, "fresh"))
    assert novel_share(own, own) == 0.0
    seen = set(map(tuple, own.values.tolist()))
    slow = np.mean([tuple(row) not in seen for row in fresh.values.tolist()])
    assert novel_share(fresh, own) == slow > 0.5
    assert novel_share(Samples.joined([own, fresh]), own) == slow / 2
    truth = TableTruth.of(own)
    assert of_table(fresh, truth, own)["novel_share"] == slow
    assert "novel_share" not in of_table(fresh, truth, None)


def test_a_row_that_is_not_as_declared_is_counted():
    """Samples settle all that is drawn, so that what breaks a declaration is made by another one here."""
    drawn = rows({"usual": 100}, stream(9, "drawn"))
    assert schema_violations(drawn, SORT) == 0.0
    narrow = Table.of(dict(SORT.declared) | {"count": Integer(kind="integer", min=0, max=8)})
    wide = [
        (name, spec if name != "count" else Integer(kind="integer", min=0, max=9))
        for name, spec in narrow.declared
    ]
    broken = Table(narrow.columns, declared=tuple(wide))
    object.__setattr__(narrow, "decoded", broken.decoded)
    nines = (broken.decoded(drawn)["count"].to_numpy() == 9).mean()
    assert nines > 0
    assert schema_violations(drawn, narrow) == pytest.approx(1e4 * nines)


@pytest.mark.parametrize("count", [1, 2, 50])
def test_every_value_is_finite_in_range_and_declared_whatever_was_drawn(truth, count):
    point = Samples.of(np.tile(rows({"usual": 1}, stream(10, "point")).values, (count, 1)), sort=SORT)
    lacking = Samples.of(np.tile([[0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0.0]], (count, 1)), sort=SORT)
    for generated in (point, lacking):
        for ruler in (truth, TableTruth.of(generated), TableTruth.of(generated, rows(TRUE, stream(0, "t")))):
            for name, value in of_table(generated, ruler, generated).items():
                assert type(value) is float, name
                check_metric(name, value, value)
                assert METRICS.kinds[family(name)].takes == ("table",)


def test_long_names_fit_and_stay_apart():
    levels = tuple(f"{'l' * 199}{place}" for place in range(2))
    sort = Table.of({"c" * 200: Category(kind="category", values=levels), "b": Boolean(kind="boolean")})
    own = np.zeros((1000, 4))
    own[:, 0], own[:, 2] = UNIT, UNIT
    own[:20, :2] = own[:20, 1::-1]
    own[500:, :2] = np.where(np.arange(500)[:, None] < 30, own[500:, 1::-1], own[500:, :2])
    own[400:520, 2:] = own[400:520, :1:-1]
    truth = TableTruth.of(Samples.of(own, sort=sort))
    assert all(len(f"pair_share/{name}") <= 200 for name in truth.pairs.names)
    assert len(set(truth.pairs.names)) == len(truth.pairs.names) >= 1


def test_a_yardstick_of_a_table_measures_its_columns_and_others_do_not():
    table = rows(TRUE, stream(0, "truth"))
    d = len(SORT.columns)
    features = FeatureMap(np.zeros(d), np.eye(d), np.zeros(d), 1.0)
    assert yardstick_of(table, features).table.levels.names == TableTruth.of(table).levels.names
    assert yardstick_of(Samples.of(table.values), features).table is None
