# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tailweave.clients.data.class_partitions import dirichlet
from tailweave.clients.data.partitions import partition
from tailweave.clients.samples import TEXT, DataError, Samples
from tailweave.protocols.config.data import SilosSpec
from tailweave.protocols.kinds.partitions.by_class import DirichletPartition


def _rows(labels, values=None):
    values = np.arange(len(labels), dtype=np.float64)[:, None] if values is None else values
    return Samples.of(values, labels)


def _cut(rows, count, kind, *, seed=0, keep=None, **options):
    raw = {"count": count, "partition": {"kind": kind, **options}, "rows-per-silo": keep}
    return partition(rows, SilosSpec.model_validate(raw), rng=np.random.default_rng(seed)).parts


def _held(rows, parts):
    return [set(rows.labels[part].tolist()) for part in parts]


TEN = _rows([str(j % 10) for j in range(400)])
KINDS = {
    "iid": {},
    "by-class": {"classes-per-silo": 2},
    "dirichlet": {"alpha": 5.0},
    "ex-dirichlet": {"classes-per-silo": 3, "alpha": 5.0},
    "by-quantile": {},
}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_silos_are_disjoint_sorted_and_reproducible(kind, data):
    count = data.draw(st.integers(1, 7))
    seed = data.draw(st.integers(0, 1000))
    classes = data.draw(st.integers(3, 6))
    n = data.draw(st.integers(30 * classes, 200 + 30 * classes))
    keep = data.draw(st.sampled_from([None, 1, 3]))
    rows = _rows([str(j % classes) for j in range(n)])
    try:
        parts = _cut(rows, count, kind, seed=seed, keep=keep, **KINDS[kind])
    except DataError:
        assume(False)
    assert len(parts) == count
    for part, again in zip(parts, _cut(rows, count, kind, seed=seed, keep=keep, **KINDS[kind]), strict=True):
        assert part.dtype == np.intp
        assert (part == again).all()
        assert (np.diff(part) > 0).all()
        assert part[0] >= 0
        assert part[-1] < n
        assert len(part) == keep or keep is None
    everything = np.concatenate(parts)
    assert len(set(everything.tolist())) == len(everything)
    if kind in ("iid", "dirichlet", "by-quantile") and keep is None:
        assert len(everything) == n
    if kind in ("iid", "by-quantile"):
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("kind", ["iid", "by-class", "dirichlet", "ex-dirichlet"])
def test_another_seed_gives_another_partition(kind):
    options = {**KINDS[kind], **({"classes-per-silo": 4} if kind == "by-class" else {})}
    first, other = (_cut(TEN, 5, kind, seed=seed, **options) for seed in (0, 1))
    assert any(a.tolist() != b.tolist() for a, b in zip(first, other, strict=True))


def test_iid_mixes_the_classes():
    assert all(held == set("0123456789") for held in _held(TEN, _cut(TEN, 4, "iid")))


def test_by_class_five_silos_of_two_hold_each_of_ten_classes_once():
    parts = _cut(TEN, 5, "by-class", **{"classes-per-silo": 2})
    assert _held(TEN, parts) == [{"0", "1"}, {"2", "3"}, {"4", "5"}, {"6", "7"}, {"8", "9"}]
    assert [len(part) for part in parts] == [80] * 5


def test_by_class_shares_evenly_goes_round_and_leaves_the_unheld():
    parts = _cut(TEN, 3, "by-class", **{"classes-per-silo": 4})  # 0-3, 4-7, 8 9 0 1
    assert _held(TEN, parts) == [set("0123"), set("4567"), set("8901")]
    assert [len(part) for part in parts] == [120, 160, 120]
    assert sum((TEN.labels[parts[2]] == "0").tolist()) == 20
    few = _cut(TEN, 2, "by-class", **{"classes-per-silo": 1})
    assert _held(TEN, few) == [{"0"}, {"1"}]
    assert [len(part) for part in few] == [40, 40]


def test_by_class_orders_classes_as_numbers():
    rows = _rows(["10", "9", "2"] * 4)
    assert _held(rows, _cut(rows, 3, "by-class", **{"classes-per-silo": 1})) == [{"2"}, {"9"}, {"10"}]


def test_dirichlet_alpha_sets_how_even_the_split_is():
    even = _cut(TEN, 4, "dirichlet", alpha=1e6)
    # Shares are 1/4 with standard deviation 2e-4: 10 +- 0.01 rows of each class of 40 before rounding.
    for part in even:
        counts = np.unique(TEN.labels[part], return_counts=True)[1]
        assert len(counts) == 10
        assert np.abs(counts - 10).max() <= 1
    sparse = _cut(TEN, 4, "dirichlet", alpha=0.01)
    # Nearly every class goes whole to one silo.
    assert sum(len(held) for held in _held(TEN, sparse)) <= 13


def test_dirichlet_proportions_have_the_moments_of_a_dirichlet():
    alpha, silos = 2.0, 3
    rows = _rows([f"{j % 400}" for j in range(400 * 60)])
    parts = _cut(rows, silos, "dirichlet", alpha=alpha)
    share = np.bincount(rows.labels[parts[0]].astype(int), minlength=400) / 60
    # Beta(2, 4): mean 1/3, variance 8/252 (+ rounding, (1/60)^2/12 or less than 0.1 %). 400 classes: standard
    # errors .0089 and about .0022; 5.5 of them fail by chance with 1e-7.
    assert abs(share.mean() - 1 / 3) < 5.5 * 0.0089
    assert abs(share.var() - 8 / 252) < 5.5 * 0.0022


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 10), st.integers(0, 1000))
def test_ex_dirichlet_assigns_classes_in_balance(silos, per_silo, seed):
    # A huge alpha and 20 rows a holder leave no holder empty, so what is held shows the assignment.
    rows = _rows([str(j % 10) for j in range(2400)])
    held = _held(
        rows, _cut(rows, silos, "ex-dirichlet", seed=seed, alpha=1e6, **{"classes-per-silo": per_silo})
    )
    assert [len(mine) for mine in held] == [per_silo] * silos
    holders = [sum(str(name) in mine for mine in held) for name in range(10)]
    assert max(holders) - min(holders) <= 1
    if silos * per_silo >= 10:
        assert min(holders) >= 1


def test_ex_dirichlet_of_one_class_each_is_a_random_one_class_per_silo():
    parts = _cut(TEN, 10, "ex-dirichlet", alpha=0.1, **{"classes-per-silo": 1})
    held = _held(TEN, parts)
    assert sorted(map(tuple, held)) == [(str(j),) for j in range(10)]
    assert [len(part) for part in parts] == [40] * 10
    assert held != [{str(j)} for j in range(10)]


def test_by_quantile_cuts_ordered_blocks_of_the_column_with_ties_by_row():
    values = np.column_stack([np.arange(7), [3.0, 1.0, 2.0, 1.0, 1.0, 9.0, 1.0]])
    parts = _cut(_rows(["a"] * 7, values), 3, "by-quantile", column=1)  # order 1 3 4 6 2 0 5
    assert [part.tolist() for part in parts] == [[1, 3, 4], [2, 6], [0, 5]]
    assert [part.tolist() for part in _cut(_rows(["a"] * 7, values), 2, "by-quantile")] == [
        [0, 1, 2, 3],
        [4, 5, 6],
    ]


def test_rows_per_silo_keeps_a_random_subset():
    whole, kept = _cut(TEN, 4, "by-quantile"), _cut(TEN, 4, "by-quantile", keep=30)
    assert all(len(part) == 30 and set(part) < set(full) for part, full in zip(kept, whole, strict=True))
    assert kept[0].tolist() != whole[0][:30].tolist()


DOCUMENTS = Samples.of([f"text {j}" for j in range(400)], TEN.labels, TEXT)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "by-quantile"])
def test_documents_are_cut_as_rows_of_their_groups_are(kind):
    rows, documents = (_cut(given, 5, kind, keep=20, **KINDS[kind]) for given in (TEN, DOCUMENTS))
    assert all((one == two).all() for one, two in zip(rows, documents, strict=True))


NO_LABELS = Samples.of(np.zeros((9, 2)))
NINE = _rows(["a"] * 9)


@pytest.mark.parametrize(
    ("rows", "count", "kind", "options", "message"),
    [
        (TEN, 2, "by-class", {"classes-per-silo": 11}, r"classes-per-silo must be at most .* 10 .*got 11"),
        (TEN, 2, "ex-dirichlet", {"classes-per-silo": 11, "alpha": 1}, "classes-per-silo must be at most"),
        (NO_LABELS, 2, "by-class", {"classes-per-silo": 1}, "partition by-class needs labels"),
        (NO_LABELS, 2, "dirichlet", {"alpha": 1}, "partition dirichlet needs labels"),
        (
            NO_LABELS,
            2,
            "ex-dirichlet",
            {"classes-per-silo": 1, "alpha": 1},
            "partition ex-dirichlet needs labels",
        ),
        (
            NO_LABELS,
            2,
            "by-quantile",
            {"column": 2},
            "partition.column must be one of the columns 0 to 1, got 2",
        ),
        (
            DOCUMENTS,
            2,
            "by-quantile",
            {},
            "partition by-quantile takes samples of sort numbers, image, table, got documents",
        ),
        (
            Samples.of(["one", "two"], None, TEXT),
            2,
            "by-class",
            {"classes-per-silo": 1},
            r"needs labels.*data.label \(jsonl: its key in data.group\), or give a folder sub-folders",
        ),
        (
            NO_LABELS,
            10,
            "iid",
            {},
            "partition iid leaves silo-0 of 10 with 1 row, silos.min-rows is 2: use fewer",
        ),
        (
            NINE,
            1000,
            "dirichlet",
            {"alpha": 1},
            "300 draws of partition dirichlet all leave silo-0 of 1000 with",
        ),
        (TEN, 2, "dirichlet", {"alpha": 1e308}, "alpha must be a size that .* got 1e.308"),
        (TEN, 4, "iid", {"keep": 101}, "silo-0 of 4 with 100 rows, silos.rows-per-silo is 101"),
    ],
)
def test_bad_input(rows, count, kind, options, message):
    with pytest.raises(DataError, match=message):
        _cut(rows, count, kind, **options)


def _drawn(seed, **silos):
    spec = SilosSpec.model_validate({"count": 10, "partition": {"kind": "dirichlet", "alpha": 0.05}} | silos)
    return partition(TEN, spec, rng=np.random.default_rng(seed))


def test_a_random_partition_is_drawn_again_until_every_silo_has_rows_enough():
    draws = []
    for seed in range(8):
        cut, again = _drawn(seed), _drawn(seed)
        assert min(map(len, cut.parts)) >= 2
        assert len(np.unique(np.concatenate(cut.parts))) == 400
        assert all((one == two).all() for one, two in zip(cut.parts, again.parts, strict=True))
        draws.append(cut.draws)
    assert max(draws) > 1
    assert min(map(len, _drawn(0, **{"min-rows": 10}).parts)) >= 10


def test_what_was_right_at_the_first_draw_stays_as_it_was():
    rows, spec = TEN, DirichletPartition(kind="dirichlet", alpha=5.0)
    once = dirichlet(rows, spec, 4, rng=np.random.default_rng(3))
    cut = partition(rows, SilosSpec(count=4, partition=spec), rng=np.random.default_rng(3))
    assert cut.draws == 1
    assert all((np.sort(one) == two).all() for one, two in zip(once, cut.parts, strict=True))


def test_a_partition_that_is_not_drawn_is_not_drawn_again():
    with pytest.raises(DataError, match="^partition by-quantile leaves silo-0 of 3 with 134 rows, .* is 200"):
        _cut(TEN, 3, "by-quantile", keep=200)
